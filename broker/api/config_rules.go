package api

import (
	"errors"
	"strconv"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// This file is where the controller, which knows no keys, meets the table of keys.

// ConfigRules are the rules by which the controller is to judge configurations:
// its Options' ConfigsValidator and ListDefault. image answers the newest image;
// it is called when a configuration is judged, not before.
func ConfigRules(values config.Values, nodeID int32, image func() *controller.Image) (
	validate func(controller.ConfigResource, map[string]string) error,
	listDefault func(controller.ConfigResource, string) (value string, isList, known bool),
) {
	validate = func(r controller.ConfigResource, configs map[string]string) error {
		effective := EffectiveConfig(values, nodeID, image())
		switch r.Type {
		case controller.ResourceBroker:
			return effective.ValidateBrokerDynamic(r.Name != "", configs)
		case controller.ResourceGroup:
			return effective.ValidateGroup(configs)
		case controller.ResourceClientMetrics:
			err := config.ValidateClientMetrics(r.Name, configs)
			if malformed, ok := errors.AsType[config.RequestError](err); ok {
				return invalidRequest("%s", string(malformed))
			}
			return err
		}
		return effective.ValidateTopic(configs)
	}
	// Lists of client metrics can only be set, although they are lists.
	listDefault = func(r controller.ConfigResource, key string) (value string, isList, known bool) {
		switch r.Type {
		case controller.ResourceBroker:
			return config.BrokerDefs().ListDefault(key)
		case controller.ResourceTopic:
			return config.TopicDefs().ListDefault(key)
		}
		return "", false, false
	}
	return validate, listDefault
}

// EffectiveConfig is a broker's static configuration under what was set at run
// time.
func EffectiveConfig(static config.Values, nodeID int32, image *controller.Image) config.Values {
	return static.With(image.BrokerConfigs(strconv.Itoa(int(nodeID))), image.BrokerConfigs(""))
}

// resourceBrokerLogger is the one type of Kafka's ConfigResource.Type that has no
// configuration in the controller.
const resourceBrokerLogger controller.ResourceType = 8

// configResourceTypes are all types of resources that have a configuration.
func configResourceTypes() []controller.ResourceType {
	return []controller.ResourceType{controller.ResourceTopic, controller.ResourceBroker, resourceBrokerLogger,
		controller.ResourceClientMetrics, controller.ResourceGroup}
}

// resourceTypeName is what Kafka's tools call a type of resource.
func resourceTypeName(kind controller.ResourceType) string {
	switch kind {
	case controller.ResourceTopic:
		return "topic"
	case controller.ResourceBroker:
		return "broker"
	case resourceBrokerLogger:
		return "broker-logger"
	case controller.ResourceClientMetrics:
		return "client-metrics"
	}
	return "group"
}

// withoutEffect says why setting a key to a value that was accepted changes
// nothing here, and "" if it does.
func withoutEffect(kind controller.ResourceType, key, value string) string {
	switch kind {
	case controller.ResourceTopic:
		return config.TopicDefs().WithoutEffect(key, value)
	case controller.ResourceBroker:
		return config.BrokerDefs().WithoutEffect(key, value)
	case controller.ResourceGroup:
		return config.GroupDefs().WithoutEffect(key, value)
	case controller.ResourceClientMetrics:
		return config.ClientMetricsDefs().WithoutEffect(key, value)
	}
	return ""
}

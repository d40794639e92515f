package api

import (
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
	listDefault func(controller.ConfigResource, string) (string, bool),
) {
	validate = func(r controller.ConfigResource, configs map[string]string) error {
		effective := underDynamic(values, nodeID, image())
		if r.Type == controller.ResourceBroker {
			return effective.ValidateBrokerDynamic(r.Name != "", configs)
		}
		return effective.ValidateTopic(configs)
	}
	listDefault = func(r controller.ConfigResource, key string) (string, bool) {
		if r.Type == controller.ResourceBroker {
			return config.BrokerDefs().ListDefault(key)
		}
		return config.TopicDefs().ListDefault(key)
	}
	return validate, listDefault
}

// underDynamic is the broker's static configuration under what was set at run
// time.
func underDynamic(values config.Values, nodeID int32, image *controller.Image) config.Values {
	return values.With(image.BrokerConfigs(strconv.Itoa(int(nodeID))), image.BrokerConfigs(""))
}

// Kafka's ConfigResource.Type, beyond the controller's.
const (
	resourceBrokerLogger  = 8
	resourceClientMetrics = 16
	resourceGroup         = 32
)

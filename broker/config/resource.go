package config

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RequestError is a refusal that Kafka answers with INVALID_REQUEST where one
// would expect INVALID_CONFIG.
type RequestError string

func (e RequestError) Error() string { return string(e) }

// ValidateGroup says whether a group may have these overrides: every value by
// itself, within the broker's bounds, and taken together (Kafka's GroupConfig).
// The error, an [Error], is INVALID_CONFIG.
func (v Values) ValidateGroup(overrides map[string]string) error {
	if err := GroupDefs().validateAll(overrides); err != nil {
		return err
	}
	for _, b := range bounded() {
		given, ok := overrides[b.group]
		if !ok {
			continue
		}
		n := groupInt(given)
		if b.lower != "" && n < v.Int(b.lower) {
			return errorf("%s must be greater than or equal to %s", b.group, b.lower)
		}
		if n > v.Int(b.upper) {
			return errorf("%s must be less than or equal to %s", b.group, b.upper)
		}
	}
	effective := func(key string) int {
		if given, ok := overrides[key]; ok {
			return groupInt(given)
		}
		return v.Int("group." + key)
	}
	for _, kind := range []string{"consumer", "share", "streams"} {
		session, heartbeat := kind+".session.timeout.ms", kind+".heartbeat.interval.ms"
		if effective(session) <= effective(heartbeat) {
			return errorf("%s must be greater than %s", session, heartbeat)
		}
	}
	return nil
}

// groupInt is the number of a value that was found valid.
func groupInt(valid string) int {
	n, err := strconv.Atoi(strings.TrimFunc(valid, javaSpace))
	must(valid, err)
	return n
}

// ValidateClientMetrics says whether a client metrics subscription may have these
// settings (Kafka's ClientMetricsConfigs). An [Error] is INVALID_CONFIG, a
// [RequestError] INVALID_REQUEST.
func ValidateClientMetrics(subscription string, settings map[string]string) error {
	if subscription == "" {
		return RequestError("Subscription name can't be empty")
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if _, ok := ClientMetricsDefs().Lookup(key); !ok {
			return RequestError(ClientMetricsDefs().unknown + key)
		}
	}
	if err := ClientMetricsDefs().validateAll(settings); err != nil {
		return err
	}
	if given, ok := settings["interval.ms"]; ok {
		if n := groupInt(given); n < 100 || n > hourMs {
			return RequestError("Invalid value " + strconv.Itoa(n) + " for interval.ms, interval must be between 100 and 3600000 (1 hour)")
		}
	}
	for _, pattern := range splitList(strings.TrimFunc(settings["match"], javaSpace)) {
		name, expression, ok := strings.Cut(pattern, "=")
		if ok {
			_, err := regexp.Compile(expression)
			ok = err == nil && slices.Contains(matchParams(), strings.TrimSpace(name))
		}
		if !ok {
			return errorf("Illegal client matching pattern: %s", pattern)
		}
	}
	return nil
}

// matchParams are what a subscription may choose clients by (KIP-714).
func matchParams() []string {
	return []string{"client_instance_id", "client_id", "client_software_name", "client_software_version",
		"client_source_address", "client_source_port"}
}

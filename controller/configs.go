package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ResourceType is Kafka's ConfigResource.Type, with its numbers.
type ResourceType int8

const (
	ResourceTopic         ResourceType = 2
	ResourceBroker        ResourceType = 4
	ResourceClientMetrics ResourceType = 16 // KIP-714
	ResourceGroup         ResourceType = 32 // KIP-1000
)

// ConfigResource is what a dynamic configuration belongs to: a topic by name, a broker by its id in decimal, or, with
// type broker and name "", all brokers; a client metrics subscription or a group by name, whether or not there is such
// a group.
type ConfigResource struct {
	Type ResourceType
	Name string
}

// ConfigOpKind is Kafka's AlterConfigOp.OpType, with its numbers.
type ConfigOpKind int8

const (
	ConfigSet      ConfigOpKind = 0
	ConfigDelete   ConfigOpKind = 1
	ConfigAppend   ConfigOpKind = 2
	ConfigSubtract ConfigOpKind = 3
)

func (k ConfigOpKind) String() string {
	if k < 0 || int(k) > 3 {
		return "OpType(" + strconv.Itoa(int(k)) + ")"
	}
	return [...]string{"SET", "DELETE", "APPEND", "SUBTRACT"}[k]
}

// ConfigOp changes one key.
type ConfigOp struct {
	Kind  ConfigOpKind
	Key   string
	Value string
	Null  bool // the request gave no value
}

// ConfigChange changes the configuration of one resource, all of it or nothing.
type ConfigChange struct {
	Resource ConfigResource
	Ops      []ConfigOp
	// Replace: keys that no op mentions are removed (the older AlterConfigs). Ops are all ConfigSet then.
	Replace bool
}

// maxConfigValue is the length of a value that Kafka's metadata records take, in characters.
const maxConfigValue = 32767

// AlterConfigs changes configurations, each resource by itself. errs has an entry for each change; rev is the revision
// that shows them.
//
// Errors: InvalidRequest, InvalidConfig, UnknownTopicOrPartition, InvalidTopicException, BrokerIDNotRegistered,
// RequestTimedOut if ctx ended, or what the validators wrap.
func (c *Controller) AlterConfigs(ctx context.Context, changes []ConfigChange, validateOnly bool) (errs []error, rev int64) {
	errs = make([]error, len(changes))
	count := make(map[ConfigResource]int)
	for _, ch := range changes {
		count[ch.Resource]++
	}
	decide := func(img *Image, i int) (ch *change) {
		if count[changes[i].Resource] > 1 {
			errs[i] = refuse(kerr.InvalidRequest, "Each resource must appear at most once.")
			return nil
		}
		ch, errs[i] = c.planConfigs(img, changes[i])
		return ch
	}
	if validateOnly {
		img := c.Image()
		for i := range changes {
			decide(img, i)
		}
		return errs, img.revision
	}
	rev = c.settle(ctx, len(changes), decide, func(i int, err error) { errs[i] = err })
	return errs, rev
}

// planConfigs follows ConfigAdminManager.preprocess and then ConfigurationControlManager.
func (c *Controller) planConfigs(img *Image, ch ConfigChange) (*change, error) {
	if err := CheckConfigOps(ch.Ops); err != nil {
		return nil, err
	}
	if err := c.checkResourceType(ch.Resource); err != nil {
		return nil, err
	}
	current, topic := img.configsOf(ch.Resource)
	configs, err := c.applyConfigOps(current.values, ch)
	if err != nil {
		return nil, err
	}
	if err := checkResourceName(ch.Resource); err != nil {
		return nil, err
	}
	for _, op := range ch.Ops {
		if len(configs[op.Key]) > maxConfigValue {
			return nil, refuse(kerr.InvalidConfig, "The configuration value cannot be added because it exceeds the maximum "+
				"value size of %d bytes.", maxConfigValue)
		}
	}
	if err := c.validateConfigs(ch.Resource, configs); err != nil {
		return nil, err
	}
	if err := c.checkMinInsync(ch, configs); err != nil {
		return nil, err
	}
	if err := checkResourceExists(img, ch.Resource); err != nil {
		return nil, err
	}
	if ch.Resource.Type != ResourceBroker && maps.Equal(configs, current.values) {
		return nil, nil // a broker's is written even if it is the same: that makes brokers reload it (KAFKA-14136)
	}
	return planConfigWrite(ch.Resource, topic, configs, current)
}

func planConfigWrite(r ConfigResource, topic *Topic, configs map[string]string, current configRecord) (*change, error) {
	key, _ := namedConfigKey(r)
	ch := &change{}
	if topic != nil {
		key = topicConfigKey(topic.ID)
		ch.conds = []Cond{IfRevision(topicKey(topic.Name), topic.ModRevision)}
	}
	ch.conds = append(ch.conds, IfRevision(key, current.rev))
	switch {
	case len(configs) > 0:
		ch.ops = []Op{Put(key, encodeConfigs(configs))}
	case current.rev != 0:
		ch.ops = []Op{Delete(key)}
	default:
		return nil, nil
	}
	if ch.bytes() > MaxTxnBytes/2 {
		return nil, refuse(kerr.InvalidConfig, "The configuration of '%s' is too large.", r.Name)
	}
	return ch, nil
}

// configsOf returns the dynamic configuration of a resource, and the topic if it is one.
func (i *Image) configsOf(r ConfigResource) (configRecord, *Topic) {
	if r.Type != ResourceTopic {
		return i.configs[r], nil
	}
	t, ok := i.Topic(r.Name)
	if !ok {
		return configRecord{}, nil
	}
	return configRecord{t.Configs, t.ConfigRevision}, t
}

// CheckConfigOps says whether the operations on one resource can be carried out together, whatever it is: no key twice,
// no null but to delete. AlterConfigs does so by itself; it is for resources that are not the controller's.
//
// Errors: InvalidRequest.
func CheckConfigOps(ops []ConfigOp) error {
	seen := make(map[string]bool, len(ops))
	var null []string
	for _, op := range ops {
		if seen[op.Key] {
			return refuse(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		seen[op.Key] = true
		if op.Null && op.Kind != ConfigDelete {
			null = append(null, op.Key)
		}
	}
	if len(null) > 0 {
		return refuse(kerr.InvalidRequest, "Null value not supported for : %s", strings.Join(null, ", "))
	}
	for _, op := range ops {
		if op.Kind < ConfigSet || op.Kind > ConfigSubtract {
			return refuse(kerr.InvalidRequest, "Unknown operations type %d", op.Kind)
		}
	}
	return nil
}

// checkResourceType says whether this broker may change the resource at all.
func (c *Controller) checkResourceType(r ConfigResource) error {
	switch r.Type {
	case ResourceTopic, ResourceClientMetrics, ResourceGroup:
	case ResourceBroker:
		if r.Name == "" {
			return nil
		}
		id, err := strconv.ParseInt(r.Name, 10, 32)
		if err != nil {
			return refuse(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", r.Name)
		}
		if int32(id) != c.opts.NodeID || r.Name != strconv.Itoa(int(id)) {
			return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d, but received %s", c.opts.NodeID, r.Name)
		}
	default:
		return refuse(kerr.InvalidRequest, "Unknown resource type %d", r.Type)
	}
	return nil
}

// checkResourceName says whether a topic or a group may be called so; of client metrics it is the validator that knows.
// Kafka asks after it has carried out the operations.
func checkResourceName(r ConfigResource) error {
	switch r.Type {
	case ResourceTopic:
		if r.Name == "" {
			return refuse(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		if reason := ValidateTopicName(r.Name); reason != "" {
			return refuse(kerr.InvalidTopicException, "%s", reason)
		}
	case ResourceGroup:
		if r.Name == "" {
			return refuse(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
	}
	return nil
}

// checkResourceExists: a group or a subscription is configured before there is one.
func checkResourceExists(img *Image, r ConfigResource) error {
	switch r.Type {
	case ResourceTopic:
		if _, ok := img.Topic(r.Name); !ok {
			return refuse(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", r.Name)
		}
	case ResourceBroker:
		if r.Name == "" {
			return nil
		}
		id, _ := strconv.Atoi(r.Name)
		if _, ok := img.Broker(int32(id)); !ok {
			return refuse(kerr.BrokerIDNotRegistered, "No node with id %d found.", id)
		}
	}
	return nil
}

// applyConfigOps returns the configuration that the ops make of current.
func (c *Controller) applyConfigOps(current map[string]string, ch ConfigChange) (map[string]string, error) {
	configs := make(map[string]string, len(current)+len(ch.Ops))
	if !ch.Replace {
		maps.Copy(configs, current)
	}
	for _, op := range ch.Ops {
		switch op.Kind {
		case ConfigSet:
			configs[op.Key] = op.Value
		case ConfigDelete:
			delete(configs, op.Key)
		case ConfigAppend, ConfigSubtract:
			list, err := c.alterList(ch.Resource, configs, op)
			if err != nil {
				return nil, err
			}
			configs[op.Key] = list
		}
	}
	return configs, nil
}

// alterList adds the elements of op.Value that are not in the list yet, or removes the first of each that is.
func (c *Controller) alterList(r ConfigResource, configs map[string]string, op ConfigOp) (string, error) {
	def, isList, known := "", false, false
	if c.opts.ListDefault != nil {
		def, isList, known = c.opts.ListDefault(r, op.Key)
	}
	if !isList {
		if r.Type == ResourceBroker && !known {
			return "", refuse(kerr.InvalidConfig, "Unknown config name: %s", op.Key)
		} else if r.Type == ResourceBroker {
			return "", refuse(kerr.InvalidConfig, "Config value %s is not allowed for config key: %s", strings.ToLower(op.Kind.String()), op.Key)
		}
		return "", refuse(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.", op.Kind, op.Key)
	}
	value, ok := configs[op.Key]
	if !ok {
		value = def
	}
	list, given := splitList(value), splitGiven(op.Value)
	if op.Kind == ConfigAppend {
		list = appendMissing(list, given)
	} else {
		list = subtract(list, given)
	}
	return strings.Join(list, ","), nil
}

// appendMissing and subtract look elements up in a map: a value can have 16,000 of them.
func appendMissing(list, given []string) []string {
	has := make(map[string]bool, len(list)+len(given))
	for _, v := range list {
		has[v] = true
	}
	for _, v := range given {
		if !has[v] {
			has[v] = true
			list = append(list, v)
		}
	}
	return list
}

// subtract removes the first of each that is given, as often as it is.
func subtract(list, given []string) []string {
	remove := make(map[string]int, len(given))
	for _, v := range given {
		remove[v]++
	}
	return slices.DeleteFunc(list, func(v string) bool {
		if remove[v] == 0 {
			return false
		}
		remove[v]--
		return true
	})
}

func splitList(value string) []string {
	return slices.DeleteFunc(strings.Split(value, ","), func(v string) bool { return v == "" })
}

// splitGiven splits what a request adds or takes away. As in Kafka, an empty element is one, but for those at the end.
func splitGiven(value string) []string {
	list := strings.Split(value, ",")
	for len(list) > 0 && list[len(list)-1] == "" && value != "" {
		list = list[:len(list)-1]
	}
	return list
}

// validateConfigs asks the validators about a whole configuration. Kafka judges all values, not only those that change.
func (c *Controller) validateConfigs(r ConfigResource, configs map[string]string) error {
	code := kerr.InvalidConfig
	if r.Type == ResourceBroker {
		code = kerr.InvalidRequest // KAFKA-13609
	}
	if f := c.opts.ConfigValidator; f != nil {
		for _, key := range slices.Sorted(maps.Keys(configs)) {
			if err := f(r, key, configs[key]); err != nil {
				return asRefusal(code, err)
			}
		}
	}
	if f := c.opts.ConfigsValidator; f != nil {
		if err := f(r, configs); err != nil {
			return asRefusal(code, err)
		}
	}
	return nil
}

// asRefusal gives a validator's error the code that it wraps, or the usual one.
func asRefusal(usual *kerr.Error, err error) error {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	if code, ok := errors.AsType[*kerr.Error](err); ok {
		return refuse(code, "%s", strings.TrimSuffix(err.Error(), ": "+code.Error()))
	}
	return refuse(usual, "%s", err.Error())
}

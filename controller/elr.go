package controller

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
)

// minInsyncReplicas is the one key that the controller knows. Which replicas may lead when the ISR is lost (eligible
// leader replicas, KIP-966) follows from it, so that all brokers must see one value: the cluster's default, which is
// always there, or the topic's own (Kafka's ConfigurationControlManager). A new cluster of 4.3.1 has it so, because its
// eligible.leader.replicas.version is 1, and so has ours from the first day, although no such replicas are kept yet and
// the feature is therefore not among those that are told (features.go): brokers that disagreed could not begin to.
const minInsyncReplicas = "min.insync.replicas"

// defaultMinInsync writes the cluster's default if there is none; another broker may be faster.
func (c *Controller) defaultMinInsync(ctx context.Context, img *Image) (wrote bool, err error) {
	r := ConfigResource{ResourceBroker, ""}
	current := img.configs[r]
	if _, ok := current.values[minInsyncReplicas]; ok || c.opts.MinInsyncReplicas == 0 {
		return false, nil
	}
	configs := map[string]string{minInsyncReplicas: strconv.Itoa(int(c.opts.MinInsyncReplicas))}
	maps.Copy(configs, current.values)
	key, _ := namedConfigKey(r)
	if _, _, err = c.store.Txn(ctx, []Cond{IfRevision(key, current.rev)}, []Op{Put(key, encodeConfigs(configs))}); err != nil {
		return false, fmt.Errorf("write %s: %w", minInsyncReplicas, err)
	}
	return true, nil
}

// checkMinInsync says whether a change leaves the value of min.insync.replicas to the cluster and to topics. configs is
// what the resource would have.
func (c *Controller) checkMinInsync(ch ConfigChange, configs map[string]string) error {
	if c.opts.MinInsyncReplicas == 0 || ch.Resource.Type != ResourceBroker {
		return nil
	}
	if ch.Resource.Name == "" {
		if _, ok := configs[minInsyncReplicas]; !ok {
			return refuse(kerr.InvalidConfig, "Cluster-level %s cannot be removed while ELR is enabled.", minInsyncReplicas)
		}
		return nil
	}
	for _, op := range ch.Ops {
		if op.Key == minInsyncReplicas {
			return refuse(kerr.InvalidConfig, "Broker-level %s cannot be altered while ELR is enabled.", minInsyncReplicas)
		}
	}
	return nil
}

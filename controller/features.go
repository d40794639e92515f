package controller

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Feature is something that the whole cluster does or does not do, in levels (KIP-584), and the levels of it that this
// program can do. A level of 0 means that it is off.
type Feature struct {
	Name     string
	Min, Max int16
}

// MetadataVersion is the feature whose level stands for what clients can see of the metadata and its operations.
const MetadataVersion = "metadata.version"

// TransactionVersion is the feature by which clients and the coordinator choose a transaction protocol: from 2 on
// KIP-890's.
const TransactionVersion = "transaction.version"

// metadataVersion43IV0 is Kafka's level of metadata.version in 4.3.
const metadataVersion43IV0 = 30

// SupportedFeatures are the features of this program. Of Kafka's, those are missing that change what a client may do
// before it works here: group.version, share.version, streams.version; those of a metadata log that we do not have
// (kraft.version); and eligible.leader.replicas.version, since no such replicas are kept.
func SupportedFeatures() []Feature {
	return []Feature{{MetadataVersion, metadataVersion43IV0, metadataVersion43IV0}, {TransactionVersion, 0, 2}}
}

// FeatureLevel is a feature that is on in the whole cluster ("finalized").
type FeatureLevel struct {
	Name  string
	Level int16
}

// UpgradeType is Kafka's FeatureUpdate.UpgradeType, with its numbers.
type UpgradeType int8

const (
	Upgrade         UpgradeType = 1
	SafeDowngrade   UpgradeType = 2
	UnsafeDowngrade UpgradeType = 3
)

// FeatureUpdate is to change the level of one feature.
type FeatureUpdate struct {
	Name  string
	Level int16
	Type  UpgradeType
}

// SupportedFeatures are the features that this controller can finalize, in order of names.
func (c *Controller) SupportedFeatures() []Feature { return c.features }

func sortedFeatures(features []Feature) []Feature {
	return slices.SortedFunc(slices.Values(features), func(a, b Feature) int { return cmp.Compare(a.Name, b.Name) })
}

func (c *Controller) supported(name string) (Feature, bool) {
	i, ok := slices.BinarySearchFunc(c.features, name, func(f Feature, name string) int { return cmp.Compare(f.Name, name) })
	if !ok {
		return Feature{}, false
	}
	return c.features[i], true
}

// finalizeFeatures gives a store that has no levels yet the highest of this program; another broker may be faster. To
// one that has levels which this program cannot do it is an error to go on: a newer version wrote what this one would
// misread.
func (c *Controller) finalizeFeatures(ctx context.Context, img *Image) (wrote bool, err error) {
	if img.features.rev == 0 {
		levels := make(map[string]int16)
		for _, f := range c.features {
			levels[f.Name] = f.Max
		}
		_, _, err := c.store.Txn(ctx, []Cond{IfAbsent(featuresKey)}, []Op{Put(featuresKey, encodeFeatures(levels))})
		if err != nil {
			return false, fmt.Errorf("write features: %w", err)
		}
		return true, nil
	}
	for _, l := range img.Features() {
		if f, ok := c.supported(l.Name); !ok || l.Level < f.Min || l.Level > f.Max {
			return false, fmt.Errorf("controller: the cluster uses %s %d, of which this version supports %d to %d", l.Name, l.Level, f.Min, f.Max)
		}
	}
	return false, nil
}

// UpdateFeatures changes the levels of features, all or none; of a feature that comes twice the last update counts. With
// validateOnly nothing is written.
//
// Errors, as Kafka's FeatureControlManager: InvalidUpdateVersion for the first update that cannot be; RequestTimedOut if
// ctx ended.
func (c *Controller) UpdateFeatures(ctx context.Context, updates []FeatureUpdate, validateOnly bool) (rev int64, err error) {
	last := make(map[string]FeatureUpdate, len(updates))
	for _, u := range updates {
		last[u.Name] = u
	}
	return c.transact(ctx, func(img *Image) ([]Cond, []Op, error) {
		levels := maps.Clone(img.features.levels)
		for _, u := range updates {
			u = last[u.Name]
			if reason := c.checkFeature(u, img.features.levels[u.Name]); reason != "" {
				return nil, nil, refuse(kerr.InvalidUpdateVersion, "Invalid update version %d for feature %s. %s", u.Level, u.Name, reason)
			}
			levels[u.Name] = u.Level
			if u.Level == 0 {
				delete(levels, u.Name)
			}
		}
		if validateOnly || maps.Equal(levels, img.features.levels) {
			return nil, nil, nil
		}
		return []Cond{IfRevision(featuresKey, img.features.rev)}, []Op{Put(featuresKey, encodeFeatures(levels))}, nil
	})
}

// checkFeature says why an update cannot be, "" if it can.
func (c *Controller) checkFeature(u FeatureUpdate, current int16) string {
	f, known := c.supported(u.Name)
	switch {
	case u.Type < Upgrade || u.Type > UnsafeDowngrade:
		return "The controller does not support the given upgrade type."
	case u.Level < 0:
		return "A feature version cannot be less than 0."
	case !known && u.Level > 0:
		return fmt.Sprintf("Local controller %d does not support this feature.", c.opts.NodeID)
	case known && (u.Level < f.Min || u.Level > f.Max):
		return fmt.Sprintf("Local controller %d only supports versions %d-%d", c.opts.NodeID, f.Min, f.Max)
	case u.Level < current && u.Type == Upgrade:
		return "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
	case u.Level > current && u.Type != Upgrade:
		return "Can't downgrade to a newer version."
	case !known:
		return fmt.Sprintf("Feature %s not found.", u.Name)
	}
	return ""
}

// featureRecord is the value of meta/features.
type featureRecord struct {
	levels map[string]int16 // none is 0
	rev    int64
}

// encodeFeatures returns the value of meta/features, in order of names.
func encodeFeatures(levels map[string]int16) []byte {
	var v []byte
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		m := appendString(nil, 1, name)
		m = appendInt(m, 2, int64(levels[name]))
		v = appendBytes(v, 1, m)
	}
	return v
}

func decodeFeatures(v []byte) (map[string]int16, error) {
	levels := make(map[string]int16)
	f := fields{rest: v}
	for f.next() {
		if f.num != 1 {
			continue
		}
		var name string
		var level int64
		g := fields{rest: f.bytes}
		for g.next() {
			switch g.num {
			case 1:
				name = string(g.bytes)
			case 2:
				level = g.int64()
			}
		}
		if g.err != nil {
			return nil, g.err
		}
		if name == "" || level <= 0 || level > 1<<15-1 {
			return nil, errMalformed
		}
		levels[name] = int16(level)
	}
	return levels, f.err
}

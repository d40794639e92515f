package controller

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

var testFeatures = []Feature{{"z.version", 0, 2}, {MetadataVersion, 7, 30}}

// TestUpdateFeatures: codes, messages and their order are those of Apache Kafka 4.3.1.
func TestUpdateFeatures(t *testing.T) {
	const initial = "[{metadata.version 30} {z.version 2}]"
	for _, tt := range []struct {
		name    string
		updates []FeatureUpdate
		err     string
		want    string
	}{
		{"nothing", nil, "NONE", initial},
		{"as it is", []FeatureUpdate{{"z.version", 2, Upgrade}, {MetadataVersion, 30, UnsafeDowngrade}}, "NONE", initial},
		{"down", []FeatureUpdate{{"z.version", 1, SafeDowngrade}}, "NONE", "[{metadata.version 30} {z.version 1}]"},
		{"off", []FeatureUpdate{{"z.version", 0, UnsafeDowngrade}}, "NONE", "[{metadata.version 30}]"},
		{"the last one counts", []FeatureUpdate{{"z.version", 9, Upgrade}, {"z.version", 1, SafeDowngrade}}, "NONE", "[{metadata.version 30} {z.version 1}]"},
		{"all or nothing", []FeatureUpdate{{"z.version", 1, SafeDowngrade}, {"a", 1, Upgrade}}, "a. Local controller 1 does not support this feature.", initial},
		{"unknown, off", []FeatureUpdate{{"a", 0, SafeDowngrade}}, "a. Feature a not found.", initial},
		{"type", []FeatureUpdate{{"a", -1, 0}}, "a. The controller does not support the given upgrade type.", initial},
		{"type", []FeatureUpdate{{"a", -1, 4}}, "a. The controller does not support the given upgrade type.", initial},
		{"negative", []FeatureUpdate{{"a", -1, Upgrade}}, "a. A feature version cannot be less than 0.", initial},
		{"too high", []FeatureUpdate{{"z.version", 3, Upgrade}}, "z.version. Local controller 1 only supports versions 0-2", initial},
		{"too low", []FeatureUpdate{{MetadataVersion, 0, Upgrade}}, "metadata.version. Local controller 1 only supports versions 7-30", initial},
		{"down as up", []FeatureUpdate{{"z.version", 1, Upgrade}}, "z.version. Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.", initial},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, NewMemStore(), Options{Features: testFeatures}, oneBroker)
			for _, validateOnly := range []bool{true, false} {
				before := c.Image().FeaturesEpoch()
				rev, err := c.UpdateFeatures(testContext(t), tt.updates, validateOnly)
				want := tt.want
				if validateOnly {
					want = initial
				}
				wantErr := tt.err
				if wantErr != "NONE" {
					level := tt.updates[len(tt.updates)-1].Level
					wantErr = fmt.Sprintf("INVALID_UPDATE_VERSION: Invalid update version %d for feature %s", level, tt.err)
				}
				if got := describe(err); got != wantErr {
					t.Errorf("%s\nwant %s", got, wantErr)
				}
				img := await(t, c, rev)
				if got := fmt.Sprint(img.Features()); got != want {
					t.Errorf("validate only %v: %s, want %s", validateOnly, got, want)
				}
				if grown := img.FeaturesEpoch() > before; grown != (want != initial) {
					t.Errorf("validate only %v: the epoch went from %d to %d", validateOnly, before, img.FeaturesEpoch())
				}
			}
			if _, err := c.UpdateFeatures(testContext(t), []FeatureUpdate{{"z.version", 2, Upgrade}}, false); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCannotDowngradeUpwards(t *testing.T) {
	c := start(t, NewMemStore(), Options{Features: testFeatures}, oneBroker)
	rev, err := c.UpdateFeatures(testContext(t), []FeatureUpdate{{"z.version", 1, SafeDowngrade}}, false)
	if err != nil {
		t.Fatal(err)
	}
	await(t, c, rev)
	_, err = c.UpdateFeatures(testContext(t), []FeatureUpdate{{"z.version", 2, SafeDowngrade}}, false)
	if got := describe(err); !strings.HasSuffix(got, "Can't downgrade to a newer version.") {
		t.Error(got)
	}
}

// TestFeaturesOfAnotherVersion: levels are those that the store has, whatever this program would begin with; one that it
// cannot do keeps it from starting.
func TestFeaturesOfAnotherVersion(t *testing.T) {
	store := NewMemStore()
	start(t, store, Options{Features: testFeatures}).Close()
	newer := append([]Feature{{"new.version", 0, 1}}, testFeatures...)
	c := start(t, store, Options{Features: newer})
	if got := fmt.Sprint(c.Image().Features()); got != "[{metadata.version 30} {z.version 2}]" {
		t.Error(got)
	}
	c.Close()
	for _, tt := range []struct {
		features []Feature
		want     string
	}{
		{testFeatures[:1], "controller: the cluster uses metadata.version 30, of which this version supports 0 to 0"},
		{[]Feature{{"z.version", 0, 1}, {MetadataVersion, 7, 30}}, "controller: the cluster uses z.version 2, of which this version supports 0 to 1"},
		{[]Feature{{"z.version", 0, 2}, {MetadataVersion, 31, 32}}, "controller: the cluster uses metadata.version 30, of which this version supports 31 to 32"},
	} {
		c := New(store, Options{NodeID: 1, Features: tt.features})
		if err := c.Start(testContext(t)); err == nil || err.Error() != tt.want {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
		c.Close()
	}
}

func TestFeatureRecord(t *testing.T) {
	for _, levels := range []map[string]int16{{}, {"a": 1}, {"a": 1, "b": 32767}} {
		got, err := decodeFeatures(encodeFeatures(levels))
		if err != nil || !maps.Equal(got, levels) {
			t.Errorf("%v, %v, want %v", got, err, levels)
		}
	}
	for _, level := range []int16{0, -1} {
		if got, err := decodeFeatures(encodeFeatures(map[string]int16{"a": level})); err == nil {
			t.Errorf("level %d: %v", level, got)
		}
	}
	if _, err := decodeFeatures(appendBytes(nil, 1, appendInt(appendString(nil, 1, "a"), 2, 1<<15))); err == nil {
		t.Error("a level of more than 16 bits")
	}
}

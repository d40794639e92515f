package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/protocol/batch"
)

// TestImportAgainElsewhere: the copy of an import that was cut off is set aside in whichever of the directories it is, and
// not only where the repeated import happens to put its own. A start would choose between the two.
func TestImportAgainElsewhere(t *testing.T) {
	from, _ := kafkaDirectory(t)
	for n := range 2 {
		dirs := []string{t.TempDir(), t.TempDir()}
		// By an import that did not come far.
		if err := os.CopyFS(filepath.Join(dirs[n], "t-0"), os.DirFS(filepath.Join(from, "t-0"))); err != nil {
			t.Fatal(err)
		}
		c := offlineConfig(t, dirs[0], lastingStore{controller.NewMemStore()})
		var err error
		if c.Values, _, err = config.Parse(config.Properties{"log.dirs": strings.Join(dirs, ",")}); err != nil {
			t.Fatal(err)
		}
		if err := Import(t.Context(), c, []string{from}, &strings.Builder{}); err != nil {
			t.Fatal(err)
		}
		copies := 0
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "t-0")); err == nil {
				copies++
			}
		}
		if copies != 1 {
			t.Errorf("a copy was left in the directory %d, and now there are %d of that log", n, copies)
		}
	}
}

// TestImportChecksEpochs: the leader epochs of a log whose checkpoint is lost are those of all its records, and not only of
// the last segment's, and it is said.
func TestImportChecksEpochs(t *testing.T) {
	from, _ := kafkaDirectory(t)
	folder := filepath.Join(from, "t-1")
	if err := os.RemoveAll(filepath.Join(folder, "leader-epoch-checkpoint")); err != nil {
		t.Fatal(err)
	}
	for at, epoch := range []int32{0, 3, 5} {
		w := batch.NewBuilder()
		w.BaseOffset, w.LeaderEpoch = int64(at), epoch
		w.Add(batch.Record{Timestamp: 1, Value: []byte("v")})
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%020d.log", at)), w.Build(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir, store := t.TempDir(), lastingStore{controller.NewMemStore()}
	var out strings.Builder
	if err := Import(t.Context(), offlineConfig(t, dir, store), []string{from}, &out); err != nil {
		t.Fatal(err)
	}
	if want := folder + ": its leader-epoch-checkpoint is not what its records say; taken from the records\n"; !strings.Contains(out.String(), want) || strings.Count(out.String(), "epoch") != strings.Count(want, "epoch") {
		t.Errorf("it does not say %q, or of another log too:\n%s", want, out.String())
	}
	got, err := os.ReadFile(filepath.Join(dir, "t-1", "leader-epoch-checkpoint"))
	if want := "0\n3\n0 0\n3 1\n5 2\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

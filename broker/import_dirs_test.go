package broker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blumfeld/broker/config"
	"blumfeld/controller"
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

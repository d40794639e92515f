package integration

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	owns        = regexp.MustCompile(`\bowns?\b`)
	mustNotKnow = regexp.MustCompile(`\bmust not know\b`)
)

// Each package says what it owns and what it must not know, in one place.
func TestPackageDocs(t *testing.T) {
	module, packages := listPackages(t)
	for _, p := range packages {
		room := p.room(module)
		var files []string
		var text string
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Error(err)
				continue
			}
			if f.Doc != nil {
				files = append(files, name)
				text = strings.Join(strings.Fields(f.Doc.Text()), " ")
			}
		}
		if len(files) != 1 {
			t.Errorf("package %q has its doc in %d files %v, want one", room, len(files), files)
			continue
		}
		if start := "Package " + p.Name + " "; p.Name != "main" && !strings.HasPrefix(text, start) {
			t.Errorf("doc of %q does not begin with %q", room, start)
		}
		if !owns.MatchString(text) {
			t.Errorf("doc of %q does not say what it owns", room)
		}
		if !mustNotKnow.MatchString(text) {
			t.Errorf("doc of %q does not say what it must not know", room)
		}
	}
}

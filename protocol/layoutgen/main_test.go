package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"os"
	"testing"
)

// TestTableIsCurrent: the table in the repository is the one that the kmsg in
// go.mod calls for. If not: go generate ./protocol
func TestTableIsCurrent(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../layout_table.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("layout_table.go is not what layoutgen makes of kmsg; run go generate ./protocol")
	}
}

// TestUnknownForms: a decoder that is not as expected is an error and never a
// field left out.
func TestUnknownForms(t *testing.T) {
	for _, body := range []string{
		"v := b.Int32()",
		"switch { }",
		"if version == 3 { v := b.Int32(); s.X = v }",
		"{ v := b.Decimal(); s.X = v }",
		"{ v := b.VarintString(); s.X = v }",
		"{ for i := range l { v := b.Int32(); a[i] = v } }",
	} {
		func() {
			defer func() {
				if _, ok := recover().(unknown); !ok {
					t.Errorf("%s: taken for something known", body)
				}
			}()
			e, err := parser.ParseExpr("func() {" + body + "}")
			if err != nil {
				t.Fatal(err)
			}
			parseStruct(e.(*ast.FuncLit).Body.List)
		}()
	}
}

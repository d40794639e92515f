package config

import (
	"maps"
	"strings"
	"testing"
)

// The expected values are what java.util.Properties makes of the same text.
func TestReadProperties(t *testing.T) {
	for _, tc := range []struct {
		text string
		want Properties
	}{
		{"", Properties{}},
		{"a=b", Properties{"a": "b"}},
		{"a=b\nc=d\n", Properties{"a": "b", "c": "d"}},
		{"a=b\r\nc=d\r\n", Properties{"a": "b", "c": "d"}},
		{"  a = b c  ", Properties{"a": "b c  "}},
		{"a:b", Properties{"a": "b"}},
		{"a b", Properties{"a": "b"}},
		{"a\t=\tb", Properties{"a": "b"}},
		{"a==b", Properties{"a": "=b"}},
		{"a = = b", Properties{"a": "= b"}},
		{"a", Properties{"a": ""}},
		{"a=", Properties{"a": ""}},
		{"=b", Properties{"": "b"}},
		{"# a=b\n! c=d\n  # e=f", Properties{}},
		{"a=b # c", Properties{"a": "b # c"}},
		{"a=1\na=2", Properties{"a": "2"}},
		{"a=b\\\n   c", Properties{"a": "bc"}},
		{"a=b\\\\\nc=d", Properties{"a": `b\`, "c": "d"}},
		{"a=b\\\n# c", Properties{"a": "b# c"}},
		{"a=b\\", Properties{"a": "b"}},
		{`a\=b=c`, Properties{"a=b": "c"}},
		{`a\ b=c`, Properties{"a b": "c"}},
		{`a=\t\n\r\f\\\:\q`, Properties{"a": "\t\n\r\f\\:q"}},
		{`a=\u00e9\u20AC`, Properties{"a": "é€"}},
		{`a=\ud83d\ude00`, Properties{"a": "😀"}},
		{`a=\ud83dx`, Properties{"a": "\uFFFDx"}},
		{"a=é", Properties{"a": "é"}},
		{"\n\n  \n", Properties{}},
		{"log.dirs=C:\\\\kafka", Properties{"log.dirs": `C:\kafka`}},
		{"listeners=PLAINTEXT://:9092,CONTROLLER://:9093", Properties{"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093"}},
	} {
		got, err := ReadProperties(strings.NewReader(tc.text))
		if err != nil || !maps.Equal(got, tc.want) {
			t.Errorf("%q: %v, %v, want %v", tc.text, got, err, tc.want)
		}
	}
}

func TestReadPropertiesErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"a=b\nc=\\u12", `line 2: incomplete escape \u12`},
		{`a=\u12x4`, `line 1: malformed escape \u12x4`},
		{"a=b\n\nc=\xff", "line 3: not UTF-8 text"},
		{"a=b\\\n\xff", "line 1: not UTF-8 text"},
		{"a=" + strings.Repeat("x", maxLine+1), "bufio.Scanner: token too long"},
		{"a=" + strings.Repeat("x", maxLine/2) + "\\\n" + strings.Repeat("y", maxLine/2+1), "line 1: longer than 1048576 bytes"},
	} {
		if _, err := ReadProperties(strings.NewReader(tc.text)); err == nil || err.Error() != tc.want {
			t.Errorf("%.20q: %v, want %s", tc.text, err, tc.want)
		}
	}
}

func TestParseOverride(t *testing.T) {
	for arg, want := range map[string][2]string{"a=b": {"a", "b"}, " a =b=c": {"a", "b=c"}, "a=": {"a", ""}} {
		if k, v, err := ParseOverride(arg); err != nil || k != want[0] || v != want[1] {
			t.Errorf("%q: %q, %q, %v", arg, k, v, err)
		}
	}
	for _, arg := range []string{"", "a", "=b"} {
		if _, _, err := ParseOverride(arg); err == nil {
			t.Errorf("%q is accepted", arg)
		}
	}
}

// FuzzReadProperties: whatever the file, there is an error or a configuration
// can be made of it or refused; and what the file says can be written and read
// again.
func FuzzReadProperties(f *testing.F) {
	f.Add("num.partitions=3\nlisteners=PLAINTEXT://localhost:9092,SSL://[::1]:9093\n")
	f.Add("a=b\\\n c\\u00e9 \\ud83d\n!x")
	f.Add("max.connections.per.ip.overrides=a:1,b:2,:")
	f.Add("listener.security.protocol.map=A:PLAINTEXT,:\nlistener.name.a.b.sasl.jaas.config=x")
	f.Add("log.cleaner.threads=0\ncordoned.log.dirs=/x\nnode.id=0\nbroker.id=1")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadProperties(strings.NewReader(text))
		if err != nil {
			return
		}
		v, _, err := Parse(p)
		if err == nil {
			v.DescribeBroker(nil)
			v.Topic(nil)
			if _, err := v.Listeners(); err != nil {
				t.Errorf("Parse accepts listeners that Listeners refuses: %v", err)
			}
		}
		var b strings.Builder
		for key, value := range p {
			b.WriteString(escaped(key) + "=" + escaped(value) + "\n")
		}
		again, err := ReadProperties(strings.NewReader(b.String()))
		if err != nil || !maps.Equal(p, again) {
			t.Errorf("%q: %v is read again as %v, %v", text, p, again, err)
		}
	})
}

// escaped writes every character that means something as an escape.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`, " ", `\ `, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`).Replace(s)
}

package config

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Properties are settings as given, before anybody looked at them.
type Properties map[string]string

// maxLine bounds a line of a properties file, continuations included. Nothing that
// configures a broker is longer, but certificates come as one value.
const maxLine = 1 << 20

// ReadProperties reads a file in the form of java.util.Properties, the one that
// kafka-server-start takes: a key and a value a line, separated by =, : or white
// space; # and ! begin comments; a \ at the end continues a line; \t \n \f \r and
// \uXXXX are escapes, and any other escaped character is itself. Text is UTF-8.
// A key that comes twice has the later value. Errors name the line.
func ReadProperties(r io.Reader) (Properties, error) {
	p := Properties{}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	// Java also ends a line at a lone \r, which no file of today has.
	for line := 1; in.Scan(); line++ {
		text := strings.TrimLeft(strings.TrimSuffix(in.Text(), "\r"), " \t\f")
		if text == "" || text[0] == '#' || text[0] == '!' {
			continue
		}
		first := line
		for continued(text) && in.Scan() {
			line++
			text = text[:len(text)-1] + strings.TrimLeft(strings.TrimSuffix(in.Text(), "\r"), " \t\f")
			if len(text) > maxLine {
				return nil, fmt.Errorf("line %d: longer than %d bytes", first, maxLine)
			}
		}
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("line %d: not UTF-8 text", first)
		}
		if continued(text) { // the file ends here
			text = text[:len(text)-1]
		}
		key, value := splitProperty(text)
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", first, err)
		}
		v, err := unescape(value)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", first, err)
		}
		p[k] = v
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// continued says whether the line ends in a \ that is not itself escaped.
func continued(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// splitProperty splits at the first separator that is not escaped: one = or : with
// white space around it, or white space alone.
func splitProperty(text string) (key, value string) {
	end := 0
	for end < len(text) && !strings.ContainsRune("=: \t\f", rune(text[end])) {
		if text[end] == '\\' && end+1 < len(text) {
			end++
		}
		end++
	}
	key, value = text[:end], strings.TrimLeft(text[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return key, value
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	var high rune // the first half of a character beyond \uFFFF
	flush := func() {
		if high != 0 {
			b.WriteRune(utf8.RuneError)
			high = 0
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			flush()
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		if s[i] == 'u' {
			if i+5 > len(s) {
				return "", fmt.Errorf(`incomplete escape \%s`, s[i:])
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf(`malformed escape \%s`, s[i:i+5])
			}
			i += 4
			switch r := rune(n); {
			case high != 0 && utf16.IsSurrogate(r):
				b.WriteRune(utf16.DecodeRune(high, r))
				high = 0
			case utf16.IsSurrogate(r):
				high = r
			default:
				flush()
				b.WriteRune(r)
			}
			continue
		}
		flush()
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'f':
			b.WriteByte('\f')
		case 'r':
			b.WriteByte('\r')
		default:
			b.WriteByte(s[i])
		}
	}
	flush()
	return b.String(), nil
}

// ParseOverride splits the argument of --override, key=value.
func ParseOverride(arg string) (key, value string, err error) {
	key, value, found := strings.Cut(arg, "=")
	if key = strings.TrimSpace(key); !found || key == "" {
		return "", "", fmt.Errorf("override %q is not of the form key=value", arg)
	}
	return key, value, nil
}

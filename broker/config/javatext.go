package config

import (
	"math"
	"strconv"
	"strings"
)

// Doubles are read and printed as Java does it, because DescribeConfigs shows
// them and tools compare the text.

// parseJavaDouble is Double.parseDouble but for hexadecimal numbers, which nobody
// configures.
func parseJavaDouble(s string) (float64, bool) {
	switch s {
	case "NaN", "+NaN", "-NaN":
		return math.NaN(), true
	case "Infinity", "+Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	if n := len(s); n > 1 && strings.IndexByte("fFdD", s[n-1]) >= 0 {
		s = s[:n-1]
	}
	// Go reads more than Java does: inf, 0x1p-2, 1_000.
	if strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	// Out of range is infinite in Java, not an error.
	return f, err == nil || math.IsInf(f, 0)
}

// formatJavaDouble is Double.toString: plain between 1e-3 and 1e7, otherwise with
// an exponent, and always with a digit behind the point.
func formatJavaDouble(f float64) string {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case abs == 0 || abs >= 1e-3 && abs < 1e7:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// isDuration says whether s is an ISO 8601 duration of days to seconds that is
// not negative, as java.time.Duration.parse reads it: PnDTnHnMn.nS.
func isDuration(s string) bool {
	s = strings.ToUpper(s)
	rest, ok := strings.CutPrefix(strings.TrimPrefix(s, "+"), "P")
	if !ok {
		return false
	}
	date, clock, timed := strings.Cut(rest, "T")
	found := false
	take := func(from *string, unit string, fraction bool) bool {
		n, after, has := strings.Cut(*from, unit)
		if !has {
			return true
		}
		found, *from = true, after
		n = strings.TrimPrefix(n, "+")
		if fraction {
			whole, part, _ := strings.Cut(n, ".")
			return digits(whole) && (part == "" || digits(part) && len(part) <= 9)
		}
		return digits(n)
	}
	if !take(&date, "D", false) || date != "" {
		return false
	}
	if timed && clock == "" {
		return false
	}
	return take(&clock, "H", false) && take(&clock, "M", false) && take(&clock, "S", true) && clock == "" && found
}

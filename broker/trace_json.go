package broker

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/broker/config"
	"blumfeld/protocol/batch"
)

// What is traced of a message is bounded: each list, each string, and the line,
// whose lists end early when it is longer.
const (
	maxTracedElements = 1000
	maxTracedString   = 1000
	maxTracedLine     = 256 << 10
)

// secretFields are masked wherever they stand: SASL exchanges, SCRAM
// credentials, delegation tokens.
func secretField(name string) bool {
	switch name {
	case "SASLAuthBytes", "Salt", "SaltedPassword", "HMAC":
		return true
	}
	return false
}

// appendMessage writes a kmsg message as JSON, its fields by their Go names.
// Record batches are summarised from their headers, other bytes by their
// length, ids as Kafka prints them, and secrets not at all.
func appendMessage(dst []byte, m any) []byte {
	return appendValue(dst, "", reflect.ValueOf(m))
}

func appendValue(dst []byte, field string, v reflect.Value) []byte {
	if secretField(field) {
		return append(dst, `"***"`...)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(dst, "null"...)
		}
		return appendValue(dst, field, v.Elem())
	case reflect.Struct:
		return appendStruct(dst, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return appendBytes(dst, field, v)
		}
		return appendList(dst, field, v)
	case reflect.Array:
		id := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(id), v)
		return appendString(dst, base64.RawURLEncoding.EncodeToString(id))
	case reflect.String:
		return appendString(dst, v.String())
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case reflect.Float64:
		return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64)
	}
	return append(dst, "null"...)
}

func appendStruct(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '{')
	first := true
	sensitive := v.FieldByName("IsSensitive")
	masked := secretConfig(v)
	if sensitive.IsValid() && sensitive.Kind() == reflect.Bool {
		masked = sensitive.Bool()
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "UnknownTags" || name == "Version" {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, name)
		dst = append(dst, ':')
		if masked && name == "Value" {
			dst = append(dst, `"***"`...)
			continue
		}
		dst = appendValue(dst, name, v.Field(i))
	}
	return append(dst, '}')
}

// secretConfig says whether v is a configuration entry in a request that may set
// a secret: a key that is one, or that we do not know, as one with a listener's
// prefix is not. In responses IsSensitive tells.
func secretConfig(v reflect.Value) bool {
	name := v.FieldByName("Name")
	if !name.IsValid() || name.Kind() != reflect.String || !v.FieldByName("Value").IsValid() {
		return false
	}
	for _, defs := range []*config.Defs{config.BrokerDefs(), config.TopicDefs(), config.GroupDefs(), config.ClientMetricsDefs()} {
		if d, ok := defs.Lookup(name.String()); ok {
			return d.Sensitive()
		}
	}
	return true
}

func appendList(dst []byte, field string, v reflect.Value) []byte {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if i == maxTracedElements || len(dst) > maxTracedLine {
			dst = append(dst, `"… `...)
			dst = strconv.AppendInt(dst, int64(v.Len()-i), 10)
			dst = append(dst, ` more"`...)
			break
		}
		dst = appendValue(dst, field, v.Index(i))
	}
	return append(dst, ']')
}

func appendBytes(dst []byte, field string, v reflect.Value) []byte {
	if v.IsNil() {
		return append(dst, "null"...)
	}
	b := v.Bytes()
	dst = append(dst, `{"bytes":`...)
	dst = strconv.AppendInt(dst, int64(len(b)), 10)
	if field == "Records" || field == "RecordBatches" {
		dst = append(dst, `,"batches":[`...)
		for n := 0; n < maxTracedElements && len(dst) <= maxTracedLine; n++ {
			h, rest, err := batch.Next(b)
			if err != nil {
				break
			}
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = appendBatch(dst, h)
			b = rest
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendBatch(dst []byte, b batch.Batch) []byte {
	number := func(name string, n int64) {
		dst = append(dst, name...)
		dst = strconv.AppendInt(dst, n, 10)
	}
	number(`{"base_offset":`, b.BaseOffset())
	number(`,"last_offset":`, b.LastOffset())
	number(`,"records":`, int64(b.Count()))
	number(`,"max_timestamp":`, b.MaxTimestamp())
	if b.HasProducerID() {
		number(`,"producer_id":`, b.ProducerID())
		number(`,"producer_epoch":`, int64(b.ProducerEpoch()))
		number(`,"base_sequence":`, int64(b.BaseSequence()))
	}
	dst = append(dst, `,"codec":`...)
	dst = appendString(dst, b.Codec().String())
	return append(dst, '}')
}

// appendErrors writes the names of all error codes but NONE that a response
// carries, each once.
func appendErrors(dst []byte, m any) []byte {
	var names []string
	seen := make(map[int16]bool)
	collectErrors(reflect.ValueOf(m), func(code int16) {
		if code == 0 || seen[code] {
			return
		}
		seen[code] = true
		name := strconv.Itoa(int(code))
		if e := kerr.TypedErrorForCode(code); e != nil {
			name = e.Message
		}
		names = append(names, name)
	})
	dst = append(dst, '[')
	for i, n := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, n)
	}
	return append(dst, ']')
}

func collectErrors(v reflect.Value, found func(int16)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collectErrors(v.Elem(), found)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Pointer {
			for i := range v.Len() {
				collectErrors(v.Index(i), found)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ErrorCode" && v.Field(i).Kind() == reflect.Int16 {
				found(int16(v.Field(i).Int()))
				continue
			}
			collectErrors(v.Field(i), found)
		}
	}
}

func appendString(dst []byte, s string) []byte {
	if len(s) > maxTracedString {
		s = fmt.Sprintf("%s… %d bytes", s[:maxTracedString], len(s))
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

package protocol

import (
	"math/rand/v2"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// filler fills any kmsg structure with random values: what a message may hold
// is found by reflection, so that no field is forgotten.
type filler struct {
	*rand.Rand
	maxLen int // of arrays, strings and bytes
	// tags says whether structures get tagged fields that nobody knows.
	tags bool
}

func newFiller(seed uint64) *filler {
	return &filler{rand.New(rand.NewPCG(seed, 1)), 4, true}
}

func (f *filler) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if f.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			if f.tags && f.IntN(4) == 0 {
				for range 1 + f.IntN(3) {
					tags.Set(100+f.Uint32N(1000), make([]byte, f.IntN(10)))
				}
			}
			return
		}
		if d, ok := v.Addr().Interface().(interface{ Default() }); ok {
			d.Default()
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" && f.IntN(8) > 0 {
				f.fill(v.Field(i))
			}
		}
	case reflect.Slice:
		n := f.IntN(f.maxLen + 1)
		if n == 0 && f.IntN(2) == 0 {
			return // null, or the default
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.String:
		p := make([]byte, f.IntN(4*f.maxLen))
		for i := range p {
			p[i] = byte('a' + f.IntN(26))
		}
		v.SetString(string(p))
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.Uint64()) >> f.IntN(64) << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(f.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(f.NormFloat64())
	default:
		panic("a field of kind " + v.Kind().String())
	}
}

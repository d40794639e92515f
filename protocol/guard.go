package protocol

import "math"

//go:generate go run ./layoutgen layout_table.go

// kmsg trusts a count as far as the bytes that are left: it makes an array of
// as many elements when that many bytes follow, however large an element is in
// memory and on the wire. A request of 100 MB could so claim 10 GB, and a tagged
// field count of five bytes keep it looping for minutes. Therefore a request is
// walked first, by the layout of its message, allocating nothing: every count
// must be followed by as many elements as it says, and what kmsg will allocate
// for all of them is added up and bounded.
const (
	// A request may take memoryRatio bytes for each of its own and
	// memorySlack on top. An array of structures with names of a single
	// letter comes near this ratio; real requests stay below 6.
	memoryRatio = 16
	memorySlack = 64 << 10

	// What kmsg spends on a string besides its bytes (a nullable one is a
	// pointer to a header), and on tagged fields it does not know, which go
	// into a map.
	stringOverhead = 16
	tagMapOverhead = 400
	tagOverhead    = 160
	tagsInSmallMap = 8

	// maxString is the longest string, in bytes. A compact one could say more, and Kafka's parser refuses it.
	maxString       = math.MaxInt16
	reasonTooShort  = "it ends too early"
	reasonTooLong   = "it has a string of more than 32,767 bytes"
	reasonNullArray = "an array is null that must not be"
	reasonTooMemory = "its counts stand for more memory than a request of its size may take"
)

type kind uint8

const (
	kindFixed    kind = iota // size bytes
	kindString               // nullable or not, compact if flexible
	kindBytes                // the same
	kindArray                // compact if flexible
	kindStruct               // fields in line
	kindNullable             // a byte that is -1 for null, then fields
)

// field is one field of a message, in the versions from min on that precede
// until, if that is not 0.
type field struct {
	kind       kind
	min, until int16
	// size is of a fixed field on the wire, and in memory of each element of
	// an array and of a nullable structure.
	size uintptr
	elem *layout // of arrays and structures
	// nullable says that an array may be null, in the versions from nullMin on.
	// kmsg would take any null one for an empty one.
	nullable bool
	nullMin  int16
}

// layout is what a structure consists of, in order.
type layout struct {
	fields []field
	tagged []tagged
	item   bool // one field, not a structure: no tagged fields follow
}

type tagged struct {
	tag   uint32
	field field
}

// request is the layout of one request. Versions from flexible on are encoded
// compactly and have tagged fields (KIP-482).
type request struct {
	flexible int16
	body     layout
}

// guard walks the body of a request. It returns why it must not be decoded, or
// "". What it accepts may still fail to decode, without harm.
func guard(key, version int16, body []byte) string {
	if key < 0 || int(key) >= len(layouts) || layouts[key].flexible == 0 && layouts[key].body.fields == nil {
		return "its layout is not known"
	}
	w := walker{
		reader:   reader{p: body},
		version:  version,
		flexible: version >= layouts[key].flexible,
		memory:   memorySlack + memoryRatio*int64(len(body)),
	}
	w.layout(&layouts[key].body)
	switch {
	case w.memory < 0:
		return reasonTooMemory
	case w.tooLong:
		return reasonTooLong
	case w.null:
		return reasonNullArray
	case w.bad:
		return reasonTooShort
	}
	return ""
}

type walker struct {
	reader
	version  int16
	flexible bool
	memory   int64 // bytes that may still be allocated
	tooLong  bool  // a string is
	null     bool  // an array is null that must not be
}

// spend accounts for n bytes. It reports whether the walk may go on.
func (w *walker) spend(n int64) bool {
	if w.memory -= n; w.memory < 0 {
		w.fail()
	}
	return !w.bad
}

func (w *walker) layout(l *layout) {
	for i := range l.fields {
		if w.bad {
			return
		}
		if f := &l.fields[i]; w.version >= f.min && (f.until == 0 || w.version < f.until) {
			w.field(f)
		}
	}
	if w.flexible && !l.item {
		w.tags(l.tagged)
	}
}

func (w *walker) field(f *field) {
	switch f.kind {
	case kindFixed:
		w.take(int(f.size))
	case kindString:
		if n := w.length16(); n > maxString {
			w.tooLong = true
			w.fail()
		} else if n > 0 {
			w.take(n)
			w.spend(int64(n) + stringOverhead)
		}
	case kindBytes:
		if n := w.length32(); n > 0 {
			w.take(n) // what is decoded aliases it
		}
	case kindArray:
		n := w.length32()
		switch {
		case n > len(w.p):
			w.fail() // no element takes less than a byte
		case n < 0 && !w.bad && (!f.nullable || w.version < f.nullMin):
			w.null = true
			w.fail()
		}
		if n <= 0 || w.bad || !w.spend(int64(n)*int64(f.size)) {
			return
		}
		if l := f.elem; l.item && l.fields[0].kind == kindFixed {
			w.take(n * int(l.fields[0].size))
			return
		}
		for range n {
			if w.layout(f.elem); w.bad {
				return
			}
		}
	case kindStruct:
		w.layout(f.elem)
	case kindNullable:
		if w.int8() != -1 && w.spend(int64(f.size)) {
			w.layout(f.elem)
		}
	}
}

// length16 reads the length of a string; negative is null.
func (w *walker) length16() int {
	if w.flexible {
		return int(w.uvarint()) - 1
	}
	return int(w.int16())
}

// length32 reads the length of bytes or an array; negative is null.
func (w *walker) length32() int {
	if w.flexible {
		return int(int64(w.uvarint()) - 1)
	}
	return int(w.int32())
}

// tags walks tagged fields: those that are known by their layout, each within
// the bytes it is given, and the others, which end up in a map.
func (w *walker) tags(known []tagged) {
	n := w.uvarint()
	unknown := int64(0)
	for range n {
		tag := w.uvarint()
		p := w.take(int(w.uvarint()))
		if w.bad {
			return
		}
		found := false
		for i := range known {
			if known[i].tag == tag {
				found = true
				rest := w.p
				w.p = p
				w.field(&known[i].field)
				if w.bad {
					return
				}
				w.p = rest
			}
		}
		if !found {
			if unknown == 0 && !w.spend(tagMapOverhead) {
				return
			}
			if unknown++; unknown > tagsInSmallMap && !w.spend(tagOverhead) {
				return
			}
		}
	}
}

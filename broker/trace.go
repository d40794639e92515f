package broker

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/api"
)

// tracer prints requests and responses as they pass, each one line of JSON. A
// nil tracer prints nothing and costs nothing.
type tracer struct {
	all  bool
	keys map[int16]bool

	mu  sync.Mutex // one line at a time
	out io.Writer
}

// newTracer traces what spec says: "all", or a list of API names or key numbers
// separated by commas. The empty spec answers nil.
func newTracer(spec string, out io.Writer) (*tracer, error) {
	if spec == "" {
		return nil, nil
	}
	t := &tracer{keys: make(map[int16]bool), out: out}
	for _, name := range strings.Split(spec, ",") {
		name = strings.TrimSpace(name)
		if strings.EqualFold(name, "all") {
			t.all = true
			continue
		}
		key, ok := keyNamed(name)
		if !ok {
			return nil, fmt.Errorf("trace: no API is called %q", name)
		}
		t.keys[key] = true
	}
	return t, nil
}

func keyNamed(name string) (int16, bool) {
	for _, a := range api.Table() {
		if strings.EqualFold(name, kmsg.NameForKey(a.Key)) || name == strconv.Itoa(int(a.Key)) {
			return a.Key, true
		}
	}
	return 0, false
}

// traced is what a request leaves for the line of its response.
type traced struct {
	conn    uint64
	r       *api.Request
	started time.Time
}

// request prints the request's line. The result goes to response; nil: this API
// is not traced.
func (t *tracer) request(c *conn, r *api.Request) *traced {
	if t == nil || !t.all && !t.keys[r.Key] {
		return nil
	}
	tr := &traced{conn: c.id, r: r, started: time.Now()}
	line := t.head(tr, "request")
	line = append(line, `,"bytes":`...)
	line = strconv.AppendInt(line, int64(r.Size), 10)
	line = append(line, `,"request":`...)
	line = appendMessage(line, r.Body)
	t.print(append(line, '}', '\n'))
	return tr
}

// response prints the response's line: latency from the moment the request was
// decoded until its answer was encoded, and every error code in it.
func (t *tracer) response(tr *traced, reply api.Reply) {
	if tr == nil {
		return
	}
	line := t.head(tr, "response")
	line = append(line, `,"latency_us":`...)
	line = strconv.AppendInt(line, time.Since(tr.started).Microseconds(), 10)
	switch {
	case reply.Hangup != nil:
		line = append(line, `,"hangup":`...)
		line = appendString(line, reply.Hangup.Error())
	case reply.Response != nil:
		line = append(line, `,"errors":`...)
		line = appendErrors(line, reply.Response)
		if reply.Records != nil {
			bytes := 0
			for _, topic := range reply.Records {
				for _, s := range topic {
					bytes += s.Len()
				}
			}
			line = append(line, `,"record_bytes":`...)
			line = strconv.AppendInt(line, int64(bytes), 10)
		}
		line = append(line, `,"response":`...)
		line = appendMessage(line, reply.Response)
	}
	t.print(append(line, '}', '\n'))
}

func (t *tracer) head(tr *traced, what string) []byte {
	line := append([]byte(nil), `{"time":"`...)
	line = time.Now().UTC().AppendFormat(line, "2006-01-02T15:04:05.000000Z")
	line = append(line, `","kind":"`...)
	line = append(line, what...)
	line = append(line, `","conn":`...)
	line = strconv.AppendUint(line, tr.conn, 10)
	line = append(line, `,"client_id":`...)
	line = appendString(line, tr.r.ClientID)
	line = append(line, `,"api":`...)
	line = appendString(line, kmsg.NameForKey(tr.r.Key))
	line = append(line, `,"version":`...)
	line = strconv.AppendInt(line, int64(tr.r.Version), 10)
	line = append(line, `,"correlation_id":`...)
	return strconv.AppendInt(line, int64(tr.r.CorrelationID), 10)
}

func (t *tracer) print(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.Write(line)
}

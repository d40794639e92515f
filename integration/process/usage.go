package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has cost so far, as Linux accounts for it.
type Usage struct {
	CPU     time.Duration // user and system time of all its threads
	RSS     int64         // resident bytes, files mapped included
	RSSAnon int64         // resident bytes that belong to no file
	PeakRSS int64         // the most RSS has been
}

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, 100 on every Linux
// that Go runs on.
const clockTick = time.Second / 100

// UsageOf reads /proc/PID; it is an error where that does not exist.
func UsageOf(pid int) (Usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, err
	}
	// The second field is the command's name in parentheses and may hold blanks:
	// count from the last one. utime and stime are the 14th and 15th field.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return Usage{}, fmt.Errorf("%s/stat has %d fields after the name", dir, len(fields))
	}
	var u Usage
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("%s/stat: %w", dir, err)
		}
		u.CPU += time.Duration(ticks) * clockTick
	}

	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return Usage{}, err
	}
	sizes := map[string]*int64{"VmRSS": &u.RSS, "RssAnon": &u.RSSAnon, "VmHWM": &u.PeakRSS}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		size, ok := sizes[name]
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("%s/status: %w", dir, err)
		}
		*size = kib << 10
	}
	return u, nil
}

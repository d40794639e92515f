package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blumfeld/integration/process"
)

// profilePeriod is how long a profile samples.
const profilePeriod = 8 * time.Second

// profile does each row on Blumfeld alone, again and again while its processor profile is taken, and leaves the profiles
// in dir: `go tool pprof dir/ROW.pprof` tells where a figure comes from.
func profile(ctx context.Context, chosen []row, work string, l load, dir string) (err error) {
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	b, err := newBlumfeld(ctx, work, "--debug-address", address)
	if err != nil {
		return err
	}
	b.debug = address
	if err := errors.Join(os.MkdirAll(dir, 0o755), b.start(ctx)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop(context.WithoutCancel(ctx))) }()
	for _, r := range chosen {
		fmt.Fprintln(os.Stderr, r.name)
		if _, err := r.run(ctx, l, b); err != nil {
			return err
		}
		taken := make(chan error, 1)
		go func() { taken <- takeProfile(ctx, b.debug, filepath.Join(dir, fileName(r.name)+".pprof")) }()
		for done := false; !done; {
			if _, err := r.run(ctx, l, b); err != nil {
				return errors.Join(err, <-taken)
			}
			select {
			case err := <-taken:
				if err != nil {
					return err
				}
				done = true
			default:
			}
		}
	}
	return nil
}

func takeProfile(ctx context.Context, addr, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", addr, int(profilePeriod.Seconds())), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	samples, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("profile: %s: %s", resp.Status, samples)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, samples, 0o644)
}

// fileName is a row's name as a file can have it.
func fileName(row string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,:/", r) {
			return '-'
		}
		return r
	}, row)
}

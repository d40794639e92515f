package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What Kafka's smoke test writes, and writes to; the names are its own.
const (
	smokeKeys    = 20
	smokeRecords = 75 // of each key

	smokeParts = 5
)

func smokeTopics() []string {
	return []string{"data", "echo", "max", "min", "min-suppressed", "min-raw", "dif", "sum", "sws-raw", "sws-suppressed", "cnt", "avg", "tagg", "fk"}
}

// smokeTest is the one that Kafka's system tests run: windows of all kinds, tables, joins and a repartition topic in one
// application. It is stopped twice, or killed, while its driver writes; the driver then says whether the results are right.
func smokeTest(ctx context.Context, s *scene, guarantee string, killed bool) error {
	if err := s.create(ctx, smokeParts, smokeTopics()...); err != nil {
		return err
	}
	f, err := s.follow("echo")
	if err != nil {
		return err
	}
	var properties strings.Builder
	for key, value := range s.settings("smoke", guarantee, "producer.transaction.timeout.ms=2000") {
		if key != "statestore.cache.max.bytes" { // left to the test
			fmt.Fprintf(&properties, "%s=%s\n", key, value)
		}
	}
	file := filepath.Join(s.dir, "smoke.properties")
	if err := os.WriteFile(file, []byte(properties.String()), 0o644); err != nil {
		return err
	}
	driver, said, err := s.run("driver", "blumfeld.compat.streams.SmokeTest", s.address(), strconv.Itoa(smokeKeys), strconv.Itoa(smokeRecords),
		strconv.FormatBool(guarantee == exactlyOnce))
	if err != nil {
		return err
	}
	for i := range 3 {
		application, _, err := s.run("application"+strconv.Itoa(i), "org.apache.kafka.streams.tests.StreamsSmokeTest", file, "process")
		if err != nil {
			return err
		}
		if i == 2 {
			break // it stays
		}
		if err := f.await(ctx, "echo", (i+1)*smokeKeys*smokeRecords/4); err != nil {
			return err
		}
		if killed {
			_ = application.Process.Kill()
		} else {
			_ = application.Process.Signal(syscall.SIGTERM)
		}
		_ = application.Wait() // 143, by SIGTERM, or killed
	}
	if err := driver.Wait(); err != nil {
		return err
	}
	verdict, err := os.ReadFile(said)
	if err != nil {
		return err
	}
	for _, line := range []string{"\nALL-RECORDS-DELIVERED\n", "\nSUCCESS\n"} {
		if !strings.Contains(string(verdict), line) {
			_, verdict, _ := strings.Cut(string(verdict), "Result Verification")
			return fmt.Errorf("the driver did not say %q: %s", line, verdict)
		}
	}
	return nil
}

// run starts a program of a class, which ends with the case at the latest. What it says is in the file.
func (s *scene) run(name, class string, args ...string) (cmd *exec.Cmd, said string, err error) {
	if cmd, err = s.java(s.dir, name, class, args...); err != nil {
		return nil, "", err
	}
	said = filepath.Join(s.dir, name+".out")
	out, err := os.Create(said)
	if err != nil {
		return nil, "", err
	}
	defer out.Close()
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	s.stop = append(s.stop, func() error {
		_ = cmd.Process.Kill() // or it has ended
		_ = cmd.Wait()         // or that was done
		return nil
	})
	return cmd, said, nil
}

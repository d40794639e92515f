package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"blumfeld/controller"
)

// backupSocket, in the metadata directory, answers everybody who connects with a backup of the metadata. Only who may
// enter the directory can; the protocol has no request, so there is nothing to get wrong.
const backupSocket = "backup.sock"

// backups serves the socket.
type backups struct {
	listener net.Listener
	store    controller.Store
	logger   *slog.Logger
	cancel   context.CancelFunc
	done     sync.WaitGroup
}

// serveBackups starts to serve. A broker whose socket cannot be made (its path may be too long) serves without.
func serveBackups(ctx context.Context, dir string, store controller.Store, logger *slog.Logger) *backups {
	path := filepath.Join(dir, backupSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
		logger.Warn("no backups while the broker runs", "err", err)
		return nil
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		logger.Warn("no backups while the broker runs", "err", err)
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &backups{listener: l, store: store, logger: logger, cancel: cancel}
	s.done.Go(func() { s.accept(ctx) })
	return s
}

// accept serves one after the other: nobody needs two backups at a time.
func (s *backups) accept(ctx context.Context) {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, say
			s.logger.Error("a backup cannot be served", "err", err)
			select {
			case <-time.After(time.Second):
				continue
			case <-ctx.Done():
				return
			}
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		if err := controller.WriteBackup(ctx, s.store, conn); err != nil {
			s.logger.Warn("a backup was not finished", "err", err)
		}
		stop()
		conn.Close()
	}
}

func (s *backups) stop() {
	s.cancel()
	s.listener.Close()
	s.done.Wait()
}

// Backup writes the metadata, of a broker that runs or of one that does not, to a file, which is complete and on the
// disk when Backup returns nil, and unchanged otherwise.
func Backup(ctx context.Context, c Config, file string, out io.Writer) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // no longer there if all went well
	defer tmp.Close()
	if err := c.writeBackup(ctx, tmp); err != nil {
		return err
	}
	keys, err := checkBackup(ctx, tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err == nil {
		err = syncDir(filepath.Dir(file))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "metadata of %d keys in %s\n", keys, file)
	return nil
}

func (c Config) writeBackup(ctx context.Context, w io.Writer) (err error) {
	dir := c.Values.MetadataDir()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, backupSocket))
	switch { // nobody listens, or the path is too long for anybody to do so
	case err == nil:
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		_, err = io.Copy(w, conn)
		return err
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EINVAL):
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, metadataFolder)); err != nil { // opening would make one
		return fmt.Errorf("no metadata: %w", err)
	}
	b := newBroker(c)
	defer func() { err = errors.Join(err, b.end()) }()
	if err := b.refuseKafkas(); err != nil {
		return err
	}
	if err := b.openStore(ctx); err != nil {
		return err
	}
	return controller.WriteBackup(ctx, b.store, w)
}

func checkBackup(ctx context.Context, file *os.File) (keys int, err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return controller.ReadBackup(ctx, bufio.NewReader(file), nil)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Restore fills an empty metadata directory from a backup. What the logs know better is taken from them, as Recover
// does: topics that are younger than the backup, leader epochs and producer ids that were handed out since.
func Restore(ctx context.Context, c Config, file string, out io.Writer) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := checkBackup(ctx, in); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return c.rebuild(ctx, out, func(ctx context.Context, b *broker) error {
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := controller.ReadBackup(ctx, in, b.store)
		return err
	})
}

package logstore

import "blumfeld/logstore/vfs"

// frugalFS is a file system for a process that may run out of descriptors: those that segments hold are given up for
// whatever else has to be opened, a snapshot or a folder to be synced.
type frugalFS struct {
	vfs.FS
	files *OpenFiles
}

// frugally does something again as long as a descriptor was missing and one could be freed.
func frugally[T any](files *OpenFiles, do func() (T, error)) (T, error) {
	v, err := do()
	for err != nil && isOutOfDescriptors(err) && files.closeOne(true) {
		v, err = do()
	}
	return v, err
}

func (f frugalFS) Open(name string) (vfs.File, error) {
	return frugally(f.files, func() (vfs.File, error) { return f.FS.Open(name) })
}

func (f frugalFS) Create(name string) (vfs.File, error) {
	return frugally(f.files, func() (vfs.File, error) { return f.FS.Create(name) })
}

func (f frugalFS) ReadDir(name string) ([]vfs.Entry, error) {
	return frugally(f.files, func() ([]vfs.Entry, error) { return f.FS.ReadDir(name) })
}

func (f frugalFS) SyncDir(name string) error {
	_, err := frugally(f.files, func() (struct{}, error) { return struct{}{}, f.FS.SyncDir(name) })
	return err
}

func (f frugalFS) RemoveAll(name string) error {
	_, err := frugally(f.files, func() (struct{}, error) { return struct{}{}, f.FS.RemoveAll(name) })
	return err
}

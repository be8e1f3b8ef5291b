package main

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileSystems names those that we know, by the number that the kernel gives.
var fileSystems = map[int64]disk{
	unix.EXT4_SUPER_MAGIC:      {kind: "ext4"},
	unix.XFS_SUPER_MAGIC:       {kind: "xfs"},
	unix.BTRFS_SUPER_MAGIC:     {kind: "btrfs"},
	unix.F2FS_SUPER_MAGIC:      {kind: "f2fs"},
	unix.OVERLAYFS_SUPER_MAGIC: {kind: "overlay"},
	0x2fc12fc1:                 {kind: "zfs"},
	unix.TMPFS_MAGIC:           {kind: "tmpfs", volatile: true},
	unix.RAMFS_MAGIC:           {kind: "ramfs", volatile: true},
	unix.NFS_SUPER_MAGIC:       {kind: "NFS", remote: true},
	unix.SMB_SUPER_MAGIC:       {kind: "SMB", remote: true},
	unix.SMB2_SUPER_MAGIC:      {kind: "SMB", remote: true},
	unix.CIFS_SUPER_MAGIC:      {kind: "CIFS", remote: true},
	unix.CEPH_SUPER_MAGIC:      {kind: "CephFS", remote: true},
	unix.V9FS_MAGIC:            {kind: "9p", remote: true},
	unix.FUSE_SUPER_MAGIC:      {kind: "FUSE", remote: true},
}

func diskOf(dir string) (disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return disk{}, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	d, ok := fileSystems[int64(uint32(st.Type))]
	if !ok {
		d.kind = fmt.Sprintf("a kind that is not known here (0x%x)", uint32(st.Type))
	}
	d.free = st.Bavail * uint64(st.Bsize)
	return d, nil
}

func ownerOf(st fs.FileInfo) (uid int, ok bool) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(sys.Uid), true
}

func lockFile(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock it: %w", err)
	}
	return nil
}

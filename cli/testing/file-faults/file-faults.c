// Loaded into a process before its C library (LD_PRELOAD): counts its calls of the system on files below a folder, and
// does something at one of them. Nothing of it is part of savkit as it is installed; a campaign compiles and uses it.
//
// From the environment:
//   FILE_FAULTS_FOLDER  where the files are
//   FILE_FAULTS_COUNT   a file of 8 bytes that processes share: the number of calls so far
//   FILE_FAULTS_LOG     a file to which each call adds a line: its number, its kind, its path
//   FILE_FAULTS_ON      "changes" counts what may change files or names, "reads" what opens files and reads them
//   FILE_FAULTS_AT      number of the call, from 1 on; 0 for none
//   FILE_FAULTS_DO      EIO, ENOSPC, EDQUOT, EINTR: the call fails; with + behind it, all that can fail so from then on;
//                       short: the call takes or gives half of the bytes; kill: the process is killed before the call;
//                       cut, grow, overwrite, replace: before the call its file is changed; replaced by PATH.other
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// Of the calls below, what they do without this file.
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
// Own work goes by this way, and is not counted.
#define KERNEL(...) REAL(syscall)(__VA_ARGS__)

enum { PATH_SIZE = PATH_MAX + 16, LINE_SIZE = PATH_MAX + 64 };
enum outcome { GO_ON, FAIL, HALF };

static const char *folder;
static const char *action = "";
static _Atomic uint64_t *counter;
static uint64_t moment;
static int log_file = -1;
static int counts_reads;

static const struct {
  const char *name;
  int number;
} ERRORS[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR}};

__attribute__((constructor)) static void begin(void) {
  const char *count = getenv("FILE_FAULTS_COUNT"), *log = getenv("FILE_FAULTS_LOG"), *on = getenv("FILE_FAULTS_ON");
  const char *at = getenv("FILE_FAULTS_AT"), *todo = getenv("FILE_FAULTS_DO"), *where = getenv("FILE_FAULTS_FOLDER");
  if (!count || !log || !on || !at || !todo || !where) return;
  int fd = KERNEL(SYS_openat, AT_FDCWD, count, O_RDWR | O_CLOEXEC);
  void *shared = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  log_file = KERNEL(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0 || shared == MAP_FAILED || log_file < 0) abort();
  KERNEL(SYS_close, fd);
  counter = shared;
  moment = strtoull(at, NULL, 10);
  action = todo;
  counts_reads = strcmp(on, "reads") == 0;
  folder = where;
}

static int is_below(const char *path) {
  size_t length = folder ? strlen(folder) : 0;
  return length > 0 && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = KERNEL(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX);
  path[length < 0 ? 0 : length] = 0;
  return length > 0;
}

static void change(const char *path) {
  int fd = KERNEL(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  off_t size = KERNEL(SYS_lseek, fd, 0, SEEK_END);
  char other[PATH_SIZE], byte = 0;
  snprintf(other, sizeof other, "%s.other", path);
  if (strcmp(action, "cut") == 0) KERNEL(SYS_ftruncate, fd, size / 2);
  if (strcmp(action, "grow") == 0) KERNEL(SYS_write, fd, "and more", 8);
  if (strcmp(action, "replace") == 0) KERNEL(SYS_renameat, AT_FDCWD, other, AT_FDCWD, path);
  if (strcmp(action, "overwrite") == 0) {
    KERNEL(SYS_pread64, fd, &byte, 1, size / 2);
    byte ^= 1;
    KERNEL(SYS_pwrite64, fd, &byte, 1, size / 2);
  }
  KERNEL(SYS_close, fd);
}

// A full disk still removes, closes and cuts files.
static int needs_room(const char *kind) {
  return strcmp(kind, "unlink") != 0 && strcmp(kind, "close") != 0 && strcmp(kind, "truncate") != 0;
}

static enum outcome outcome_of(uint64_t number, const char *kind, const char *path) {
  int lasts = strchr(action, '+') != NULL;
  if (moment == 0 || (lasts ? number < moment : number != moment)) return GO_ON;
  if (strcmp(action, "kill") == 0) {
    KERNEL(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
  }
  if (strcmp(action, "short") == 0) return HALF;
  for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
    if (strncmp(action, ERRORS[i].name, strlen(ERRORS[i].name)) != 0) continue;
    if (lasts && ERRORS[i].number != EIO && !needs_room(kind)) return GO_ON;
    errno = ERRORS[i].number;
    return FAIL;
  }
  change(path);
  return GO_ON;
}

static enum outcome meet_path(int is_read, const char *kind, const char *path) {
  if (is_read != counts_reads || !is_below(path)) return GO_ON;
  uint64_t number = atomic_fetch_add(counter, 1) + 1;
  char line[LINE_SIZE];
  int length = snprintf(line, sizeof line, "%llu %s %s\n", (unsigned long long)number, kind, path);
  KERNEL(SYS_write, log_file, line, length);
  return outcome_of(number, kind, path);
}

static enum outcome meet(int is_read, const char *kind, int fd) {
  char path[PATH_SIZE];
  int before = errno;
  if (!folder || is_read != counts_reads || !path_of(fd, path)) return errno = before, GO_ON;
  errno = before;
  return meet_path(is_read, kind, path);
}

static int opened(const char *path, int flags, mode_t mode, __typeof__(&open) real) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  return meet_path(!writes, "open", path) == FAIL ? -1 : real(path, flags, mode);
}

static int takes_mode(int flags) {
  return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define OPEN(name)                                       \
  int name(const char *path, int flags, ...) {           \
    va_list more;                                        \
    va_start(more, flags);                               \
    mode_t mode = takes_mode(flags) ? va_arg(more, int) : 0; \
    va_end(more);                                        \
    return opened(path, flags, mode, REAL(name));        \
  }
OPEN(open)
OPEN(open64)

#define MOVE(name, is_read, kind, words, all, half)   \
  ssize_t name words {                                       \
    enum outcome outcome = meet(is_read, kind, fd);          \
    if (outcome == FAIL) return -1;                          \
    return outcome == HALF ? REAL(name) half : REAL(name) all; \
  }
#define HALF_OF(size) ((size) > 1 ? (size) / 2 : (size))
MOVE(read, 1, "read", (int fd, void *to, size_t size), (fd, to, size), (fd, to, HALF_OF(size)))
MOVE(pread, 1, "read", (int fd, void *to, size_t size, off_t at), (fd, to, size, at), (fd, to, HALF_OF(size), at))
MOVE(pread64, 1, "read", (int fd, void *to, size_t size, off64_t at), (fd, to, size, at),
     (fd, to, HALF_OF(size), at))
MOVE(readv, 1, "read", (int fd, const struct iovec *to, int count), (fd, to, count), (fd, to, HALF_OF(count)))
MOVE(preadv64, 1, "read", (int fd, const struct iovec *to, int count, off64_t at), (fd, to, count, at),
     (fd, to, HALF_OF(count), at))
MOVE(write, 0, "write", (int fd, const void *from, size_t size), (fd, from, size), (fd, from, HALF_OF(size)))
MOVE(pwrite, 0, "write", (int fd, const void *from, size_t size, off_t at), (fd, from, size, at),
     (fd, from, HALF_OF(size), at))
MOVE(pwrite64, 0, "write", (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at),
     (fd, from, HALF_OF(size), at))
MOVE(writev, 0, "write", (int fd, const struct iovec *from, int count), (fd, from, count),
     (fd, from, HALF_OF(count)))
MOVE(pwritev64, 0, "write", (int fd, const struct iovec *from, int count, off64_t at), (fd, from, count, at),
     (fd, from, HALF_OF(count), at))

#define OF_FILE(name, kind, words, all) \
  int name words { return meet(0, kind, fd) == FAIL ? -1 : REAL(name) all; }
OF_FILE(fsync, "sync", (int fd), (fd))
OF_FILE(fdatasync, "sync", (int fd), (fd))
OF_FILE(ftruncate, "truncate", (int fd, off_t size), (fd, size))
OF_FILE(ftruncate64, "truncate", (int fd, off64_t size), (fd, size))

// This one gives its error, and does not set errno.
#define ALLOCATE(name, offset)                                                                       \
  int name(int fd, offset at, offset size) {                                                         \
    return meet(0, "allocate", fd) == FAIL ? errno : REAL(name)(fd, at, size);                        \
  }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

// The descriptor is gone, whatever is told.
int close(int fd) {
  enum outcome outcome = meet(0, "close", fd);
  int error = errno, result = REAL(close)(fd);
  return outcome == FAIL ? errno = error, -1 : result;
}

// Node closes files by their number in the kernel.
long syscall(long number, ...) {
  long args[6];
  va_list more;
  va_start(more, number);
  for (int i = 0; i < 6; i++) args[i] = va_arg(more, long);
  va_end(more);
  if (number == SYS_close) return close((int)args[0]);
  return KERNEL(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

#define OF_NAMES(name, kind, words, all, which) \
  int name words { return meet_path(0, kind, which) == FAIL ? -1 : REAL(name) all; }
OF_NAMES(rename, "rename", (const char *from, const char *to), (from, to), to)
OF_NAMES(link, "link", (const char *from, const char *to), (from, to), to)
OF_NAMES(symlink, "link", (const char *from, const char *to), (from, to), to)
OF_NAMES(unlink, "unlink", (const char *path), (path), path)
OF_NAMES(rmdir, "unlink", (const char *path), (path), path)
OF_NAMES(mkdir, "mkdir", (const char *path, mode_t mode), (path, mode), path)

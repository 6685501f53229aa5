// Tells which pages of another process were written, as the kernel notes it: userfaultfd with asynchronous write
// protection, and the ioctl PAGEMAP_SCAN (Linux 6.7 or newer, x86-64).
//
// A userfaultfd belongs to the memory of the process that makes it. So one thread of the other process is stopped for
// the time of two system calls, which it makes on our behalf: userfaultfd, and close, after this process has got the
// same file by pidfd_getfd. Nothing is loaded into the other process, and nothing stays in it: the protection ends with
// this process.
//
//   write-watch PID ADDRESS:PAGES...     addresses in hexadecimal; pages are numbered over all pieces
//
// Output, once: a line, "ok" or why it can't be done. Then, for each byte of input: pairs of 32-bit numbers of this
// host, first page and count of those written since the scan before; the last pair is { NO_PAGE, 0 }, or
// { NO_PAGE, error number } where the scan failed. The scan also protects these pages again: the next scan tells of a
// write that comes after it. The program ends when its input ends.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "write-watch makes system calls in another process, and knows how on x86-64 only"
#endif

// Parts of the kernel's interface that older headers lack.
enum { WP_HUGETLBFS_SHMEM = 1 << 12, WP_UNPOPULATED = 1 << 13, WP_ASYNC = 1 << 15 };
enum { PAGE_WRITTEN = 1 << 1, PROTECT_AGAIN = 1 << 0, REQUIRE_ASYNC = 1 << 1 };
struct run {
  uint64_t start, end, categories;
};
struct scan {
  uint64_t size, flags, start, end, walk_end, runs, run_count, max_pages, inverted, mask, any_of, returned;
};
#define SCAN _IOWR('f', 16, struct scan)
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum { PAGE = 4096, MOST_PIECES = 256 };
// Runs do not touch each other: there are at most half as many as pages, and so a scan of so many always comes whole.
enum { CHUNK_PAGES = 1 << 14, CHUNK_RUNS = CHUNK_PAGES / 2 + 1 };
static const uint32_t NO_PAGE = 0xffffffff;
// Longer than any system call of the other process takes that can be interrupted.
enum { PATIENCE_S = 10 };

static struct {
  uint64_t address, pages;
} pieces[MOST_PIECES];
static int piece_count;
static pid_t other;

static void give_up(const char *what) {
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

// Finds a syscall instruction in the code that the kernel maps into each process. Its address, or 0.
static uint64_t find_syscall(int memory) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/maps", other);
  FILE *maps = fopen(path, "r");
  uint64_t found = 0;
  while (maps && !found && fgets(line, sizeof line, maps)) {
    unsigned long from, to;
    static uint8_t code[1 << 16];
    if (!strstr(line, "[vdso]") || sscanf(line, "%lx-%lx", &from, &to) != 2 || to - from > sizeof code) continue;
    ssize_t size = pread(memory, code, to - from, from);
    for (ssize_t i = 0; i + 1 < size && !found; i++)
      if (code[i] == 0x0f && code[i + 1] == 0x05) found = from + i;
  }
  if (maps) fclose(maps);
  return found;
}

// Waits until the thread has stopped. 0 when it has.
static int has_stopped(int *status) {
  while (waitpid(other, status, __WALL) < 0)
    if (errno != EINTR) return -1;
  return WIFSTOPPED(*status) ? 0 : -1;
}

// Waits until the thread has stopped because it was told to. A signal that comes first is its own, and goes on to it.
static int has_obeyed(void) {
  int status;
  while (!has_stopped(&status)) {
    if (status >> 16 == PTRACE_EVENT_STOP) return 0;
    if (ptrace(PTRACE_CONT, other, 0, status >> 16 ? 0 : WSTOPSIG(status))) return -1;
  }
  return -1;
}

// Has the stopped thread make a system call, and puts back its registers. The result, or a negative error number.
static long call(const struct user_regs_struct *before, uint64_t at, long number, long first) {
  struct user_regs_struct there = *before;
  int status;
  there.rip = at;
  there.rax = number;
  there.rdi = first;
  // The call that the thread was in is not to be restarted now, but once its own registers are back.
  there.orig_rax = -1;
  long result = -EIO;
  if (!ptrace(PTRACE_SETREGS, other, 0, &there) && !ptrace(PTRACE_SINGLESTEP, other, 0, 0) && !has_stopped(&status) &&
      !ptrace(PTRACE_GETREGS, other, 0, &there) && there.rip == at + 2)
    result = there.rax;
  ptrace(PTRACE_SETREGS, other, 0, before);
  return result;
}

// Gets a userfaultfd of the other process, as a file of this process; negative where that fails.
static int borrow_userfaultfd(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", other);
  int memory = open(path, O_RDONLY | O_CLOEXEC), process = syscall(SYS_pidfd_open, other, 0), mine = -1;
  uint64_t at = memory < 0 ? 0 : find_syscall(memory), signals, all_but_trap = ~(1ull << (SIGTRAP - 1));
  if (memory >= 0) close(memory);
  if (!at || process < 0) give_up("Cannot look into the process");
  alarm(PATIENCE_S);
  if (ptrace(PTRACE_SEIZE, other, 0, 0)) give_up("Cannot stop the process");
  if (ptrace(PTRACE_INTERRUPT, other, 0, 0) || has_obeyed()) give_up("Cannot stop the process");
  alarm(0);
  // A signal that ended this process now (Ctrl-C goes to all processes of a terminal) would leave the thread with our
  // registers.
  sigset_t all, former;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &former);
  struct user_regs_struct before;
  long theirs = -EIO;
  // A signal would be taken for the end of the system call.
  if (!ptrace(PTRACE_GETREGS, other, 0, &before) && !ptrace(PTRACE_GETSIGMASK, other, sizeof signals, &signals) &&
      !ptrace(PTRACE_SETSIGMASK, other, sizeof signals, &all_but_trap)) {
    theirs = call(&before, at, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (theirs >= 0) {
      mine = syscall(SYS_pidfd_getfd, process, (int)theirs, 0);
      int error = errno;
      call(&before, at, SYS_close, theirs);
      errno = error;
    }
    ptrace(PTRACE_SETSIGMASK, other, sizeof signals, &signals);
  }
  int error = theirs < 0 ? (int)-theirs : errno;
  ptrace(PTRACE_DETACH, other, 0, 0);
  sigprocmask(SIG_SETMASK, &former, 0);
  close(process);
  errno = error;
  return mine;
}

static void protect(int faults) {
  struct uffdio_api api = {.api = UFFD_API, .features = WP_ASYNC | WP_UNPOPULATED | WP_HUGETLBFS_SHMEM};
  if (ioctl(faults, UFFDIO_API, &api)) give_up("The kernel can't note writes");
  for (int i = 0; i < piece_count; i++) {
    struct uffdio_range range = {pieces[i].address, pieces[i].pages * PAGE};
    struct uffdio_register wish = {.range = range, .mode = UFFDIO_REGISTER_MODE_WP};
    if (ioctl(faults, UFFDIO_REGISTER, &wish)) give_up("The kernel can't note writes to this memory");
    struct uffdio_writeprotect order = {.range = range, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    if (ioctl(faults, UFFDIO_WRITEPROTECT, &order)) give_up("The kernel can't protect this memory");
  }
}

static void tell(uint32_t first, uint32_t count) {
  uint32_t pair[] = {first, count};
  fwrite(pair, sizeof pair, 1, stdout);
}

// Tells the pages of a chunk that were written. 0, or an error number.
static int scan_chunk(int pagemap, uint64_t address, uint64_t pages, uint32_t number) {
  static struct run runs[CHUNK_RUNS];
  const uint64_t end = address + pages * PAGE;
  for (uint64_t from = address; from < end;) {
    struct scan scan = {
        .size = sizeof scan,
        .flags = PROTECT_AGAIN | REQUIRE_ASYNC,
        .start = from,
        .end = end,
        .runs = (uintptr_t)runs,
        .run_count = CHUNK_RUNS,
        .mask = PAGE_WRITTEN,
        .returned = PAGE_WRITTEN,
    };
    int count = ioctl(pagemap, SCAN, &scan);
    if (count < 0) return errno;
    for (int i = 0; i < count; i++)
      tell(number + (runs[i].start - address) / PAGE, (runs[i].end - runs[i].start) / PAGE);
    // The kernel may give a walk_end before the end of the chunk, without an error. A huge page that is only partly in
    // the chunk stops each walk at its beginning: a second scan, from there, gets no further. After 512 runs, the
    // kernel gives the place where it emptied its buffer, though it has walked on: a scan from there gets to the end.
    if (scan.walk_end <= from) return EIO;
    from = scan.walk_end;
  }
  return 0;
}

static int scan_all(int pagemap) {
  uint32_t number = 0;
  for (int i = 0; i < piece_count; number += pieces[i++].pages)
    for (uint64_t page = 0; page < pieces[i].pages; page += CHUNK_PAGES) {
      uint64_t left = pieces[i].pages - page, count = left < CHUNK_PAGES ? left : CHUNK_PAGES;
      int error = scan_chunk(pagemap, pieces[i].address + page * PAGE, count, number + page);
      if (error) return error;
    }
  return 0;
}

int main(int argc, char **argv) {
  char path[64];
  errno = EINVAL;
  if (argc < 3 || argc - 2 > MOST_PIECES || (other = atoi(argv[1])) <= 0) give_up("Cannot read the arguments");
  for (int i = 2; i < argc; i++, piece_count++)
    if (sscanf(argv[i], "%lx:%lu", &pieces[piece_count].address, &pieces[piece_count].pages) != 2)
      give_up("Cannot read the arguments");
  snprintf(path, sizeof path, "/proc/%d/pagemap", other);
  int pagemap = open(path, O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) give_up("Cannot look into the process");
  int faults = borrow_userfaultfd();
  if (faults < 0) give_up("The process may not have its writes noted (userfaultfd)");
  protect(faults);
  puts("ok");
  fflush(stdout);
  for (char request; read(0, &request, 1) == 1; fflush(stdout)) tell(NO_PAGE, scan_all(pagemap));
  return 0;
}

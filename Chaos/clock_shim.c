/* Shifts the wall clock of one process: LD_PRELOAD this, name a file of eight bytes (an offset in
 * ms) in CHAOS_CLOCK, and write another offset into the file at any moment.
 *
 * Only the wall clock moves. The monotonic clock is left alone, as it is by an administrator's
 * `date` or a step of NTP. libfaketime is not used: it hangs Redis.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_ms;

/* Before anything of the program runs. Without a readable file the offset stays zero. */
__attribute__((constructor)) static void open_offset(void) {
    const char *path = getenv("CHAOS_CLOCK");
    if (path == NULL) return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset_ms = page;
    close(file);
}

/* The kernel's own clock, not libc's: libc's time() calls clock_gettime(), which is ours here, and
 * the offset would be added twice. */
static int read_clock(clockid_t clock, struct timespec *out) {
    int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && offset_ms != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t nanoseconds = out->tv_nsec + (*offset_ms % 1000) * 1000000;
        out->tv_sec += *offset_ms / 1000;
        if (nanoseconds < 0) {
            nanoseconds += 1000000000;
            out->tv_sec -= 1;
        } else if (nanoseconds >= 1000000000) {
            nanoseconds -= 1000000000;
            out->tv_sec += 1;
        }
        out->tv_nsec = nanoseconds;
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *out) { return read_clock(clock, out); }

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int result = read_clock(CLOCK_REALTIME, &now);
    if (result == 0) {
        out->tv_sec = now.tv_sec;
        out->tv_usec = now.tv_nsec / 1000;
    }
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    if (read_clock(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}

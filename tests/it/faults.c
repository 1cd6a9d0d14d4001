/* Makes one call that changes the disk fail, or that one and all after it: FAIL_AT counts them from 1, FAIL_WITH is the
 * errno, FAIL_ON=1 goes on failing; with FAIL_READS=1 it is calls that read a file instead. How many there were is written to FAIL_COUNT at the end. Preloaded into jalon by the
 * tests; what is no regular file is left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long count;
static long at;
static int with, on, reads;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
    at = number("FAIL_AT");
    with = (int)number("FAIL_WITH");
    on = (int)number("FAIL_ON");
    reads = (int)number("FAIL_READS");
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAIL_COUNT");
    long all = atomic_load(&count);
    at = 0;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", all);
        fclose(file);
    }
}

static int counts(void) {
    long now = atomic_fetch_add(&count, 1) + 1;
    if (at == 0 || (on ? now < at : now != at)) return 0;
    errno = with;
    return 1;
}

static int fails(void) { return !reads && counts(); }

static int fails_to_read(void) { return reads && counts(); }

static int is_file(int fd) {
    struct stat found;
    int kept = errno, is = fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
    errno = kept;
    return is;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    return is_file(fd) && fails() ? -1 : real(fd, bytes, length);
}
ssize_t writev(int fd, const struct iovec *all, int n) {
    REAL(writev);
    return is_file(fd) && fails() ? -1 : real(fd, all, n);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t from) {
    REAL(pwrite64);
    return is_file(fd) && fails() ? -1 : real(fd, bytes, length, from);
}
ssize_t read(int fd, void *bytes, size_t length) {
    REAL(read);
    return is_file(fd) && fails_to_read() ? -1 : real(fd, bytes, length);
}
ssize_t pread64(int fd, void *bytes, size_t length, off64_t from) {
    REAL(pread64);
    return is_file(fd) && fails_to_read() ? -1 : real(fd, bytes, length, from);
}
int fsync(int fd) {
    REAL(fsync);
    return fails() ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return fails() ? -1 : real(fd);
}
int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    return is_file(fd) && fails() ? -1 : real(fd, length);
}
int rename(const char *from, const char *to) {
    REAL(rename);
    return fails() ? -1 : real(from, to);
}
int link(const char *from, const char *to) {
    REAL(link);
    return fails() ? -1 : real(from, to);
}
int symlink(const char *to, const char *path) {
    REAL(symlink);
    return fails() ? -1 : real(to, path);
}
int unlink(const char *path) {
    REAL(unlink);
    return fails() ? -1 : real(path);
}
int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return fails() ? -1 : real(path, mode);
}
int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return (flags & O_CREAT) && fails() ? -1 : real(path, flags, mode);
}
int openat64(int below, const char *path, int flags, ...) {
    REAL(openat64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return (flags & O_CREAT) && fails() ? -1 : real(below, path, flags, mode);
}

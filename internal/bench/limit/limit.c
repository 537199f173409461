/* Does what the library does, with the same system calls and checks of hostile memory,
   but without its guard against faults and without Go. It reads lines "N OPERATION NAME
   [ARGUMENT]", does the operation N times, and prints how many nanoseconds that took, or
   0 after a failure. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static clockid_t clock_id = CLOCK_MONOTONIC;

static int64_t now(void) {
	struct timespec t;
	clock_gettime(clock_id, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint64_t load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }

struct list {
	uint64_t n, data_size, *offsets, *data, *formats;
	int8_t *codes;
	void *memory;
	size_t size;
};

static uint64_t format_int;

/* The header is read from the file, as the library does. */
static int attach(const char *name, struct list *l) {
	char path[300];
	struct stat st;
	uint64_t head[64], word;
	snprintf(path, sizeof path, "/dev/shm/%s", name);
	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) return -1;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 33) goto fail;
	l->size = st.st_size;
	l->memory = mmap(NULL, l->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (l->memory == MAP_FAILED) goto fail;
	if (pread(fd, head, sizeof head, 0) < 16 || head[0] == 0 || head[0] > (l->size - 8) / 25 || head[1] != 0) goto unmap;
	l->n = head[0];
	if (pread(fd, &l->data_size, 8, 8 + 8 * l->n) != 8) goto unmap;
	if (l->data_size == 0 || l->data_size % 8 || l->data_size > l->size || 16 + 17 * l->n + l->data_size > l->size) goto unmap;
	if (pread(fd, &word, 8, 16 + 8 * l->n + l->data_size) != 8 || word == 0) goto unmap;
	l->offsets = (uint64_t *)l->memory + 1;
	l->data = l->offsets + l->n + 1;
	l->formats = l->data + l->data_size / 8;
	l->codes = (int8_t *)(l->formats + l->n);
	close(fd);
	return 0;
unmap:
	munmap(l->memory, l->size);
fail:
	close(fd);
	return -1;
}

/* Checks the headers of the items from i to end, which are ints. */
static int are_ints(struct list *l, uint64_t i, uint64_t end) {
	uint64_t differ = 0;
	for (uint64_t j = i; j < end; j++) differ |= load(&l->formats[j]) ^ format_int;
	for (; i + 8 <= end; i += 8) differ |= load((uint64_t *)(l->codes + i)); /* i begins at a multiple of 8 */
	for (; i < end; i++) differ |= (uint8_t)l->codes[i];
	return differ == 0;
}

/* Returns the slots of the items, or NULL. */
static uint64_t *slots(struct list *l, uint64_t i, uint64_t end) {
	uint64_t start = load(&l->offsets[i]), differ = 0;
	if (start % 8 || start > l->data_size || l->data_size - start < 8 * (end - i)) return NULL;
	for (uint64_t j = i; j <= end; j++) differ |= load(&l->offsets[j]) ^ (start + 8 * (j - i));
	return differ == 0 && are_ints(l, i, end) ? l->data + start / 8 : NULL;
}

enum { RUN = 256 };

static int copy(struct list *l, uint64_t *to) {
	for (uint64_t i = 0; i < l->n; i += RUN) {
		uint64_t end = i + RUN < l->n ? i + RUN : l->n, *from = slots(l, i, end);
		if (from == NULL) return -1;
		for (uint64_t j = 0; j < end - i; j++) to[i + j] = load(&from[j]);
		if (!are_ints(l, i, end)) return -1;
	}
	return 0;
}

static int find(struct list *l, uint64_t value) {
	for (uint64_t i = 0; i < l->n; i += RUN) {
		uint64_t end = i + RUN < l->n ? i + RUN : l->n, *from = slots(l, i, end), found = UINT64_MAX;
		if (from == NULL) return -1;
		for (uint64_t j = 0; j < end - i; j++) {
			if (load(&from[j]) == value) {
				found = i + j;
				break;
			}
		}
		if (!are_ints(l, i, end)) return -1;
		if (found != UINT64_MAX) return 0;
	}
	return -1;
}

static int write_all(int fd, const void *from, size_t n) {
	for (const char *p = from; n > 0;) {
		ssize_t done = write(fd, p, n);
		if (done < 0) return -1;
		p += done;
		n -= done;
	}
	return 0;
}

enum { PIECE = 8192 }; /* words */

static int write_words(int fd, uint64_t n, uint64_t first, uint64_t step) {
	static uint64_t piece[PIECE];
	while (n > 0) {
		uint64_t k = n < PIECE ? n : PIECE;
		for (uint64_t j = 0; j < k; j++, first += step) piece[j] = first;
		if (write_all(fd, piece, 8 * k) != 0) return -1;
		n -= k;
	}
	return 0;
}

/* Gives the file a name, by its descriptor if the kernel does that. */
static int give_name(int fd, const char *path) {
	char proc[50];
	if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0) return 0;
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static int create(const char *name, uint64_t n, const int64_t *values) {
	char path[300];
	struct statfs fs;
	snprintf(path, sizeof path, "/dev/shm/%s", name);
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), failed;
	if (fd < 0) return -1;
	size_t size = 16 + 25 * n;
	failed = fchmod(fd, 0600) || fstatfs(fd, &fs) || (fs.f_blocks && size / fs.f_bsize >= fs.f_bavail);
	failed = failed || write_all(fd, &n, 8) || write_words(fd, n + 1, 0, 8) || write_all(fd, values, 8 * n) ||
		write_words(fd, n, format_int, 0) || write_words(fd, n / 8, 0, 0) || write_all(fd, &(uint64_t){0}, n % 8);
	void *memory = failed ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	failed = memory == MAP_FAILED || give_name(fd, path);
	if (memory != MAP_FAILED) munmap(memory, size);
	close(fd);
	return failed || unlink(path) ? -1 : 0;
}

/* Creates a block, and removes it. */
static int create_block(const char *name, size_t size) {
	char path[300];
	struct statfs fs;
	struct stat st, now;
	snprintf(path, sizeof path, "/dev/shm/%s", name);
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) return -1;
	int failed = fchmod(fd, 0600) || fstatfs(fd, &fs) || (fs.f_blocks && size / fs.f_bsize >= fs.f_bavail) ||
		fallocate(fd, 0, 0, size) || fstat(fd, &st);
	void *memory = failed ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	failed = memory == MAP_FAILED || give_name(fd, path);
	close(fd);
	if (memory != MAP_FAILED) munmap(memory, size);
	return failed || lstat(path, &now) || now.st_ino != st.st_ino || unlink(path) ? -1 : 0;
}

/* Attaches to a block, and closes it. */
static int attach_block(const char *name) {
	char path[300];
	struct stat st;
	snprintf(path, sizeof path, "/dev/shm/%s", name);
	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) return -1;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) return -1;
	void *memory = MAP_FAILED;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		memory = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? -1 : munmap(memory, st.st_size);
}

static void bind_to(int cpu) {
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
}

/* Passes n tokens to a child and back, after one that does not count. */
static int64_t hand_over(long n, const char *name, const char *argument) {
	char back_name[100];
	int place[2];
	int64_t begin = 0, took;
	cpu_set_t before;
	if (sscanf(argument, "%99[^,],%d,%d", back_name, &place[0], &place[1]) != 3) return 0;
	sem_t *there = sem_open(name, 0), *back = sem_open(back_name, 0);
	if (there == SEM_FAILED || back == SEM_FAILED) return 0;
	pid_t child = fork();
	if (child < 0) return 0;
	if (child == 0) {
		bind_to(place[1]);
		for (long i = 0; i <= n; i++)
			if (sem_wait(there) || sem_post(back)) _exit(1);
		_exit(0);
	}
	sched_getaffinity(0, sizeof before, &before);
	bind_to(place[0]);
	for (long i = 0; i <= n; i++) {
		if (i == 1) begin = now();
		if (sem_post(there) || sem_wait(back)) return 0;
	}
	took = now() - begin;
	sched_setaffinity(0, sizeof before, &before);
	waitpid(child, NULL, 0);
	sem_close(there);
	sem_close(back);
	return took;
}

static int64_t measure(long n, const char *op, const char *name, const char *argument) {
	struct list l = {0};
	int failed = 0;
	int64_t begin, took;
	if (strcmp(op, "attach") == 0 || strcmp(op, "attach_close") == 0) {
		int closing = strcmp(op, "attach") != 0;
		struct list *all = calloc(n, sizeof *all);
		begin = now();
		for (long i = 0; i < n && !failed; i++) {
			failed = attach(name, &all[i]);
			if (closing && !failed) munmap(all[i].memory, all[i].size);
		}
		took = now() - begin;
		for (long i = 0; i < n && !closing && all[i].memory; i++) munmap(all[i].memory, all[i].size);
		free(all);
	} else if (strcmp(op, "create") == 0) {
		uint64_t length = strtoull(argument, NULL, 10);
		int64_t *values = malloc(8 * length);
		for (uint64_t i = 0; i < length; i++) values[i] = i;
		begin = now();
		for (long i = 0; i < n && !failed; i++) failed = create(name, length, values);
		took = now() - begin;
		free(values);
	} else if (strcmp(op, "create_block") == 0 || strcmp(op, "attach_block") == 0) {
		int creating = strcmp(op, "create_block") == 0;
		begin = now();
		for (long i = 0; i < n && !failed; i++) failed = creating ? create_block(name, 4096) : attach_block(name);
		took = now() - begin;
	} else if (strcmp(op, "handover") == 0) {
		return hand_over(n, name, argument);
	} else if (strcmp(op, "lock") == 0) {
		sem_t *s = sem_open(name, 0);
		if (s == SEM_FAILED) return 0;
		begin = now();
		for (long i = 0; i < n && !failed; i++) failed = sem_wait(s) || sem_post(s);
		took = now() - begin;
		sem_close(s);
	} else {
		if (attach(name, &l) != 0) return 0;
		uint64_t *to = malloc(8 * l.n), value = strtoull(argument, NULL, 10);
		memset(to, 1, 8 * l.n);
		begin = now();
		for (long i = 0; i < n && !failed; i++) failed = strcmp(op, "copy") == 0 ? copy(&l, to) : find(&l, value);
		took = now() - begin;
		munmap(l.memory, l.size);
		free(to);
	}
	return failed ? 0 : took;
}

int main(int argc, char **argv) {
	char op[50], name[256], argument[100], line[500];
	long n;
	if (argc > 1 && strcmp(argv[1], "cpu") == 0) clock_id = CLOCK_PROCESS_CPUTIME_ID;
	memcpy(&format_int, "q\0\0\0\0\0\0\0", 8);
	while (fgets(line, sizeof line, stdin)) {
		strcpy(argument, "0");
		if (sscanf(line, "%ld %49s %255s %99s", &n, op, name, argument) < 3) return 1;
		printf("%lld\n", (long long)measure(n, op, name, argument));
		fflush(stdout);
	}
	return 0;
}

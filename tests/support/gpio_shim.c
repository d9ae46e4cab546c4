/*
 * A GPIO chip in a file, for programs that run under LD_PRELOAD: the version 2 user interface of
 * <linux/gpio.h> (https://docs.kernel.org/userspace-api/gpio/chardev.html) as far as it matters here.
 *
 * One rule: the chip lives in a mapped file, not in the program under test, so it outlives a SIGKILL
 * and its test may look at it, and drive it, at any moment. There is no thread and no server.
 *
 * - $DOORWARD_GPIO_SHIM names the directory; its file gpiochip<N> appears as /dev/gpiochip<N>.
 * - A line request's descriptor is a FIFO that holds one byte for each waiting edge, so poll and epoll work.
 *   It is locked with flock: a lock that can be taken belongs to a process that has died.
 * - The shim_* functions at the end are for the test, which loads the same library with ctypes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define MAX_LINES 64
#define MAX_REQUESTS 64
#define MAX_QUEUE 1024   /* the kernel's own limit: GPIO_V2_LINES_MAX * 16 */
#define MAX_HISTORY 65536 /* a ring: the oldest records are overwritten */
#define MAX_FD 4096
#define MAJOR 254
#define NOBODY (-1)
#define FOREIGN (-2)
#define DIRECTION (GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_OUTPUT)
#define EDGES (GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING)
#define BIAS (GPIO_V2_LINE_FLAG_BIAS_PULL_UP | GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN | GPIO_V2_LINE_FLAG_BIAS_DISABLED)
#define KNOWN (DIRECTION | EDGES | BIAS | GPIO_V2_LINE_FLAG_ACTIVE_LOW | GPIO_V2_LINE_FLAG_OPEN_DRAIN | \
	       GPIO_V2_LINE_FLAG_OPEN_SOURCE | GPIO_V2_LINE_FLAG_EVENT_CLOCK_REALTIME)

struct record { /* one change of a line, as an oscilloscope and a second probe would show it */
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	int32_t line;
	int32_t output; /* direction */
	int32_t level;  /* physical */
	int32_t pull;   /* 1 up, -1 down, 0 none */
	int32_t held;   /* a process has requested it */
	int32_t pid;
};

struct line {
	char consumer[GPIO_MAX_NAME_SIZE];
	uint64_t flags;
	int32_t request; /* slot, NOBODY or FOREIGN */
	int32_t out;     /* physical level of the output latch */
	int32_t drive;   /* what the outside world drives: 0, 1, or -1 for nothing */
	int32_t shorted; /* an output that is held by a short circuit: 0, 1, or -1 */
	int32_t level;   /* physical, as last seen */
	int32_t deaf;    /* so many edges the interrupt hardware will miss */
	uint32_t seqno;
	struct record last;
};

struct request {
	int32_t used, dead, pid;
	uint32_t count, offsets[GPIO_V2_LINES_MAX];
	uint32_t size, head, waiting, seqno;
	struct gpio_v2_line_event queue[MAX_QUEUE];
};

struct chip {
	pthread_mutex_t lock;
	uint32_t number, lines, gone, denied, keep_outputs, generation;
	char label[GPIO_MAX_NAME_SIZE];
	uint64_t recorded;
	struct line line[MAX_LINES];
	struct request request[MAX_REQUESTS];
	struct record history[MAX_HISTORY];
	char directory[256];
};

/* --- this process ---------------------------------------------------------------------------- */

static struct { struct chip *chip; int slot; uint32_t generation; } table[MAX_FD]; /* slot -1: the chip itself */

static int raw_open(const char *path, int flags) { return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600); }
static int raw_close(int fd) { return (int)syscall(SYS_close, fd); }
static ssize_t raw_read(int fd, void *to, size_t n) { return syscall(SYS_read, fd, to, n); }

static struct chip *chip_map(const char *path) {
	int fd = raw_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	void *map = mmap(NULL, sizeof(struct chip), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	raw_close(fd);
	return map == MAP_FAILED ? NULL : map;
}

static void chip_lock(struct chip *chip) {
	if (pthread_mutex_lock(&chip->lock) == EOWNERDEAD) /* killed in the middle of it */
		pthread_mutex_consistent(&chip->lock);
}

static void chip_unlock(struct chip *chip) { pthread_mutex_unlock(&chip->lock); }

static void fifo_path(const struct chip *chip, int slot, char *path, size_t size) {
	snprintf(path, size, "%s/request-%u-%d", chip->directory, chip->number, slot);
}

static uint64_t now_ns(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- lines ------------------------------------------------------------------------------------ */

static int line_pull(const struct line *line) {
	return line->flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP ? 1 : line->flags & GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN ? -1 : 0;
}

static int line_level(const struct line *line) {
	if (line->flags & GPIO_V2_LINE_FLAG_OUTPUT)
		return line->shorted >= 0 ? line->shorted : line->out;
	if (line->drive >= 0)
		return line->drive;
	int pull = line_pull(line);
	return pull ? pull > 0 : line->level; /* a floating input keeps its charge here */
}

static void request_wake(struct chip *chip, int slot) {
	char path[320];
	fifo_path(chip, slot, path, sizeof path);
	int fd = raw_open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "", 1);
	raw_close(fd);
}

static void request_event(struct chip *chip, int number, int rising, uint64_t at_ns) {
	struct line *line = &chip->line[number];
	struct request *request = &chip->request[line->request];
	struct gpio_v2_line_event event = {
		.timestamp_ns = line->flags & GPIO_V2_LINE_FLAG_EVENT_CLOCK_REALTIME ? now_ns(CLOCK_REALTIME) : at_ns,
		.id = rising ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE,
		.offset = (uint32_t)number,
		.seqno = ++request->seqno,
		.line_seqno = ++line->seqno,
	};
	int full = request->waiting == request->size;
	if (full) { /* the kernel drops the oldest */
		request->head = (request->head + 1) % MAX_QUEUE;
		request->waiting--;
	}
	request->queue[(request->head + request->waiting++) % MAX_QUEUE] = event;
	if (!full)
		request_wake(chip, line->request);
}

/* Bring a line's level up to date after anything about it changed; report the edge; write history. */
static void line_settle_at(struct chip *chip, int number, uint64_t at_ns) {
	struct line *line = &chip->line[number];
	int before = line->level, level = line_level(line);
	line->level = level;
	struct record record = {
		.line = number, .output = !!(line->flags & GPIO_V2_LINE_FLAG_OUTPUT), .level = level,
		.pull = line_pull(line), .held = line->request != NOBODY,
		.pid = line->request >= 0 ? chip->request[line->request].pid : 0,
	};
	if (!chip->recorded || memcmp(&record.line, &line->last.line, sizeof record - offsetof(struct record, line))) {
		record.at_ns = at_ns;
		line->last = record;
		chip->history[chip->recorded++ % MAX_HISTORY] = record;
	}
	if (before == level || line->request < 0)
		return;
	int rising = level ^ !!(line->flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);
	if (!(line->flags & (rising ? GPIO_V2_LINE_FLAG_EDGE_RISING : GPIO_V2_LINE_FLAG_EDGE_FALLING)))
		return;
	if (line->deaf > 0)
		line->deaf--;
	else
		request_event(chip, number, rising, at_ns);
}

static void line_settle(struct chip *chip, int number) {
	line_settle_at(chip, number, now_ns(CLOCK_MONOTONIC));
}

static int config_check(const struct gpio_v2_line_config *config, uint32_t count, uint64_t *flags, int *values) {
	if (config->num_attrs > GPIO_V2_LINE_NUM_ATTRS_MAX)
		return EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		int have_flags = 0, have_value = 0;
		flags[i] = config->flags;
		values[i] = 0;
		for (uint32_t a = 0; a < config->num_attrs; a++) {
			const struct gpio_v2_line_config_attribute *attribute = &config->attrs[a];
			if (!(attribute->mask >> i & 1))
				continue;
			if (attribute->attr.id == GPIO_V2_LINE_ATTR_ID_FLAGS && !have_flags++)
				flags[i] = attribute->attr.flags;
			if (attribute->attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES && !have_value++)
				values[i] = attribute->attr.values >> i & 1;
		}
		uint64_t f = flags[i];
		if (f & ~(uint64_t)KNOWN || (f & DIRECTION) == DIRECTION || ((f & EDGES) && !(f & GPIO_V2_LINE_FLAG_INPUT)) ||
		    ((f & BIAS) && !(f & DIRECTION)))
			return EINVAL;
	}
	return 0;
}

static void line_configure(struct chip *chip, int number, uint64_t flags, int value) {
	struct line *line = &chip->line[number];
	if (!(flags & DIRECTION)) /* "as is" */
		flags |= line->flags & DIRECTION;
	else if (flags & GPIO_V2_LINE_FLAG_OUTPUT)
		line->out = value ^ !!(flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);
	if (!(flags & BIAS))
		flags |= line->flags & BIAS;
	line->flags = flags | GPIO_V2_LINE_FLAG_USED;
	int level = line->level, deaf = line->deaf;
	line->deaf = line_level(line) != level ? deaf + 1 : deaf; /* a configuration is no edge */
	line_settle(chip, number);
	line->deaf = deaf;
}

static void line_release(struct chip *chip, int number) {
	struct line *line = &chip->line[number];
	uint64_t kept = line->flags & BIAS;
	/* Upstream a freed output becomes an input; a Raspberry Pi kernel leaves it driven (raspberrypi/linux#6117). */
	kept |= chip->keep_outputs ? line->flags & DIRECTION : GPIO_V2_LINE_FLAG_INPUT;
	line->flags = kept;
	line->request = NOBODY;
	line->consumer[0] = 0;
	line_settle(chip, number);
}

static void request_release(struct chip *chip, int slot) {
	struct request *request = &chip->request[slot];
	char path[320];
	for (uint32_t i = 0; i < request->count && !request->dead; i++)
		line_release(chip, (int)request->offsets[i]);
	fifo_path(chip, slot, path, sizeof path);
	unlink(path);
	request->used = 0;
}

/* Free what belongs to processes that died. Called with the lock. */
static int chip_reap(struct chip *chip) {
	int freed = 0;
	for (int slot = 0; slot < MAX_REQUESTS; slot++) {
		char path[320];
		if (!chip->request[slot].used)
			continue;
		fifo_path(chip, slot, path, sizeof path);
		int fd = raw_open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		int orphan = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (fd >= 0)
			raw_close(fd);
		if (orphan) {
			request_release(chip, slot);
			freed++;
		}
	}
	return freed;
}

/* --- the ioctls -------------------------------------------------------------------------------- */

static int fail(int error) {
	errno = error;
	return -1;
}

static int request_open(struct chip *chip, int slot) {
	char path[320];
	fifo_path(chip, slot, path, sizeof path);
	if (mkfifo(path, 0600) < 0)
		return -1;
	int fd = raw_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fd >= MAX_FD || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return fd;
}

static int request_lines(struct chip *chip, struct gpio_v2_line_request *wanted) {
	uint64_t flags[GPIO_V2_LINES_MAX];
	int values[GPIO_V2_LINES_MAX], slot = 0, error;
	if (!wanted->num_lines || wanted->num_lines > GPIO_V2_LINES_MAX)
		return fail(EINVAL);
	chip_reap(chip);
	for (uint32_t i = 0; i < wanted->num_lines; i++)
		if (wanted->offsets[i] >= chip->lines)
			return fail(EINVAL);
	for (uint32_t i = 0; i < wanted->num_lines; i++)
		if (chip->line[wanted->offsets[i]].request != NOBODY)
			return fail(EBUSY);
	if ((error = config_check(&wanted->config, wanted->num_lines, flags, values)))
		return fail(error);
	while (slot < MAX_REQUESTS && chip->request[slot].used)
		slot++;
	if (slot == MAX_REQUESTS)
		return fail(ENFILE);
	int fd = request_open(chip, slot);
	if (fd < 0)
		return -1;
	struct request *request = &chip->request[slot];
	memset(request, 0, sizeof *request);
	request->used = 1;
	request->pid = (int32_t)getpid();
	request->count = wanted->num_lines;
	request->size = wanted->event_buffer_size ? wanted->event_buffer_size : wanted->num_lines * 16;
	if (request->size > MAX_QUEUE)
		request->size = MAX_QUEUE;
	for (uint32_t i = 0; i < request->count; i++) {
		struct line *line = &chip->line[wanted->offsets[i]];
		request->offsets[i] = wanted->offsets[i];
		memcpy(line->consumer, wanted->consumer, sizeof line->consumer);
		line->consumer[sizeof line->consumer - 1] = 0;
		line->request = slot;
		line->seqno = 0;
		line_configure(chip, (int)wanted->offsets[i], flags[i], values[i]);
	}
	table[fd].chip = chip;
	table[fd].slot = slot;
	wanted->fd = fd;
	return 0;
}

static int chip_ioctl(struct chip *chip, unsigned long command, void *argument) {
	if (command == GPIO_GET_CHIPINFO_IOCTL) {
		struct gpiochip_info *info = argument;
		memset(info, 0, sizeof *info);
		snprintf(info->name, sizeof info->name, "gpiochip%u", chip->number);
		memcpy(info->label, chip->label, sizeof info->label);
		info->lines = chip->lines;
		return 0;
	}
	if (command == GPIO_V2_GET_LINEINFO_IOCTL || command == GPIO_V2_GET_LINEINFO_WATCH_IOCTL) {
		struct gpio_v2_line_info *info = argument;
		uint32_t offset = info->offset;
		if (offset >= chip->lines)
			return fail(EINVAL);
		chip_reap(chip);
		memset(info, 0, sizeof *info);
		info->offset = offset;
		snprintf(info->name, sizeof info->name, "GPIO%u", offset);
		memcpy(info->consumer, chip->line[offset].consumer, sizeof info->consumer);
		info->flags = chip->line[offset].flags;
		return 0;
	}
	if (command == GPIO_V2_GET_LINE_IOCTL)
		return request_lines(chip, argument);
	return fail(EINVAL);
}

static int request_ioctl(struct chip *chip, struct request *request, unsigned long command, void *argument) {
	if (command == GPIO_V2_LINE_SET_CONFIG_IOCTL) {
		uint64_t flags[GPIO_V2_LINES_MAX];
		int values[GPIO_V2_LINES_MAX], error = config_check(argument, request->count, flags, values);
		if (error)
			return fail(error);
		for (uint32_t i = 0; i < request->count; i++)
			if (flags[i] & DIRECTION) /* others are left unchanged */
				line_configure(chip, (int)request->offsets[i], flags[i], values[i]);
		return 0;
	}
	struct gpio_v2_line_values *values = argument;
	if (command == GPIO_V2_LINE_GET_VALUES_IOCTL) {
		values->bits = 0;
		for (uint32_t i = 0; i < request->count; i++) {
			struct line *line = &chip->line[request->offsets[i]];
			int active = line_level(line) ^ !!(line->flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);
			if (values->mask >> i & 1 && active)
				values->bits |= 1ull << i;
		}
		return values->mask ? 0 : fail(EINVAL);
	}
	if (command == GPIO_V2_LINE_SET_VALUES_IOCTL) {
		for (uint32_t i = 0; i < request->count; i++)
			if (values->mask >> i & 1 && !(chip->line[request->offsets[i]].flags & GPIO_V2_LINE_FLAG_OUTPUT))
				return fail(EPERM);
		for (uint32_t i = 0; i < request->count; i++) {
			struct line *line = &chip->line[request->offsets[i]];
			if (!(values->mask >> i & 1))
				continue;
			line->out = (int)(values->bits >> i & 1) ^ !!(line->flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);
			line_settle(chip, (int)request->offsets[i]);
		}
		return values->mask ? 0 : fail(EINVAL);
	}
	return fail(EINVAL);
}

/* --- what the program calls --------------------------------------------------------------------- */

/* The file behind a device path, or 0 when the path is none of ours. */
static int device_path(const char *path, char *real, size_t size, unsigned *number) {
	const char *directory = getenv("DOORWARD_GPIO_SHIM");
	if (!directory || !path)
		return 0;
	size_t length = strlen(directory);
	int used = 0;
	const char *name = !strncmp(path, "/dev/", 5) ? path + 5
			   : !strncmp(path, directory, length) && path[length] == '/' ? path + length + 1 : "";
	if (sscanf(name, "gpiochip%u%n", number, &used) != 1 || name[used])
		return 0;
	snprintf(real, size, "%s/gpiochip%u", directory, *number);
	return access(real, F_OK) == 0;
}

static int device_open(const char *real) {
	struct chip *chip = chip_map(real);
	if (!chip)
		return fail(ENOENT);
	if (chip->gone || chip->denied) {
		int error = chip->gone ? ENOENT : EACCES;
		munmap(chip, sizeof *chip);
		return fail(error);
	}
	int fd = raw_open(real, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fd >= MAX_FD)
		return fd < 0 ? -1 : fail(EMFILE);
	table[fd].chip = chip;
	table[fd].slot = -1;
	table[fd].generation = chip->generation;
	return fd;
}

static int open_any(const char *symbol, const char *path, int flags, mode_t mode) {
	char real[320];
	unsigned number;
	if (device_path(path, real, sizeof real, &number))
		return device_open(real);
	int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, symbol);
	return next(path, flags, mode);
}

#define OPEN(name)                                                    \
	int name(const char *path, int flags, ...) {                  \
		mode_t mode = 0;                                      \
		if (flags & (O_CREAT | O_TMPFILE)) {                  \
			va_list arguments;                            \
			va_start(arguments, flags);                   \
			mode = (mode_t)va_arg(arguments, unsigned);   \
			va_end(arguments);                            \
		}                                                     \
		return open_any(#name, path, flags, mode);            \
	}
OPEN(open)
OPEN(open64)

int ioctl(int fd, unsigned long command, ...) {
	va_list arguments;
	va_start(arguments, command);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	if (fd < 0 || fd >= MAX_FD || !table[fd].chip)
		return (int)syscall(SYS_ioctl, fd, command, argument);
	command &= 0xffffffffu; /* some callers hold it in an int, which arrives sign-extended */
	struct chip *chip = table[fd].chip;
	struct request *request = table[fd].slot < 0 ? NULL : &chip->request[table[fd].slot];
	chip_lock(chip);
	int result;
	if (request ? request->dead : chip->gone || chip->generation != table[fd].generation)
		result = fail(ENODEV);
	else
		result = request ? request_ioctl(chip, request, command, argument) : chip_ioctl(chip, command, argument);
	int error = errno;
	chip_unlock(chip);
	errno = error;
	return result;
}

ssize_t read(int fd, void *to, size_t size) {
	if (fd < 0 || fd >= MAX_FD || !table[fd].chip || table[fd].slot < 0)
		return raw_read(fd, to, size);
	struct chip *chip = table[fd].chip;
	struct request *request = &chip->request[table[fd].slot];
	struct gpio_v2_line_event *events = to;
	size_t room = size / sizeof *events, n = 0;
	char bytes[MAX_QUEUE];
	if (!room)
		return fail(EINVAL);
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int blocks = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
		if (poll(&wait, 1, blocks ? -1 : 0) < 0)
			return -1;
		chip_lock(chip);
		if (request->dead) {
			chip_unlock(chip);
			return fail(ENODEV);
		}
		for (; n < room && request->waiting; n++, request->waiting--) {
			events[n] = request->queue[request->head];
			request->head = (request->head + 1) % MAX_QUEUE;
		}
		if (n)
			(void)!raw_read(fd, bytes, n);
		chip_unlock(chip);
		if (n)
			return (ssize_t)(n * sizeof *events);
		if (!blocks)
			return fail(EAGAIN);
	}
}

int close(int fd) {
	if (fd < 0 || fd >= MAX_FD || !table[fd].chip)
		return raw_close(fd);
	struct chip *chip = table[fd].chip;
	int slot = table[fd].slot;
	table[fd].chip = NULL;
	if (slot < 0) {
		/* the mapping stays: line requests made through this descriptor outlive it */
		return raw_close(fd);
	}
	chip_lock(chip);
	request_release(chip, slot);
	int result = raw_close(fd);
	chip_unlock(chip);
	return result;
}

/* libgpiod asks whether the path is a character device of the bus "gpio" before it opens it. */
static int stat_device(const char *path, struct stat *to) {
	char real[320];
	unsigned number;
	if (!device_path(path, real, sizeof real, &number))
		return 0;
	memset(to, 0, sizeof *to);
	to->st_mode = S_IFCHR | 0660;
	to->st_rdev = makedev(MAJOR, number);
	to->st_nlink = 1;
	return 1;
}

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, #name))
#define STAT(name, type)                                                              \
	int name(const char *path, type *to) {                                        \
		if (stat_device(path, (struct stat *)to))                             \
			return 0;                                                     \
		return NEXT(name, int (*)(const char *, type *))(path, to);           \
	}
#define XSTAT(name, type)                                                             \
	int name(int version, const char *path, type *to) {                           \
		if (stat_device(path, (struct stat *)to))                             \
			return 0;                                                     \
		return NEXT(name, int (*)(int, const char *, type *))(version, path, to); \
	}
#define STATAT(name, type)                                                            \
	int name(int at, const char *path, type *to, int flags) {                     \
		if (stat_device(path, (struct stat *)to))                             \
			return 0;                                                     \
		return NEXT(name, int (*)(int, const char *, type *, int))(at, path, to, flags); \
	}
STAT(stat, struct stat)
STAT(lstat, struct stat)
STAT(stat64, struct stat64)
STAT(lstat64, struct stat64)
STATAT(fstatat, struct stat)
STATAT(fstatat64, struct stat64)
XSTAT(__xstat, struct stat)
XSTAT(__lxstat, struct stat)
XSTAT(__xstat64, struct stat64)
XSTAT(__lxstat64, struct stat64)

char *realpath(const char *path, char *to) {
	char expected[64];
	snprintf(expected, sizeof expected, "/sys/dev/char/%d:", MAJOR);
	if (getenv("DOORWARD_GPIO_SHIM") && !strncmp(path, expected, strlen(expected)))
		return to ? strcpy(to, "/sys/bus/gpio") : strdup("/sys/bus/gpio");
	return NEXT(realpath, char *(*)(const char *, char *))(path, to);
}

/* --- what the test calls -------------------------------------------------------------------------- */

void *shim_create(const char *directory, unsigned number, const char *label, unsigned lines) {
	char path[320];
	pthread_mutexattr_t attributes;
	snprintf(path, sizeof path, "%s/gpiochip%u", directory, number);
	int fd = raw_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC);
	if (fd < 0 || lines > MAX_LINES || ftruncate(fd, sizeof(struct chip)) < 0)
		return NULL;
	raw_close(fd);
	struct chip *chip = chip_map(path);
	if (!chip)
		return NULL;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&chip->lock, &attributes);
	chip->number = number;
	chip->lines = lines;
	snprintf(chip->label, sizeof chip->label, "%s", label);
	snprintf(chip->directory, sizeof chip->directory, "%s", directory);
	for (unsigned i = 0; i < lines; i++) {
		struct line *line = &chip->line[i];
		line->flags = GPIO_V2_LINE_FLAG_INPUT;
		line->request = NOBODY;
		line->drive = line->shorted = -1;
	}
	return chip;
}

/* The outside world drives a line to `level`, `count` times alternating, `pause_ns` apart; -1 lets go. */
void shim_drive(struct chip *chip, unsigned line, int level, unsigned count, uint64_t pause_ns) {
	for (unsigned i = 0; i < count; i++) {
		struct timespec pause = {(time_t)(pause_ns / 1000000000u), (long)(pause_ns % 1000000000u)};
		if (i && pause_ns)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		chip_lock(chip);
		chip->line[line].drive = level < 0 ? level : (int)((unsigned)level ^ (i & 1));
		line_settle(chip, (int)line);
		chip_unlock(chip);
	}
}

/* Short low pulses on lines, all at once but with time stamps of their own; the last one is now. */
void shim_pulses(struct chip *chip, unsigned count, const unsigned *lines, const uint64_t *after_ns) {
	chip_lock(chip);
	uint64_t first_ns = now_ns(CLOCK_MONOTONIC) - (count ? after_ns[count - 1] : 0);
	for (unsigned i = 0; i < count; i++)
		for (int level = 0; level < 2; level++) {
			chip->line[lines[i]].drive = level;
			line_settle_at(chip, (int)lines[i], first_ns + after_ns[i] + (level ? 50000 : 0));
		}
	chip_unlock(chip);
}

void shim_short(struct chip *chip, unsigned line, int level) {
	chip_lock(chip);
	chip->line[line].shorted = level;
	line_settle(chip, (int)line);
	chip_unlock(chip);
}

void shim_deafen(struct chip *chip, unsigned line, int edges) {
	chip_lock(chip);
	chip->line[line].deaf = edges;
	chip_unlock(chip);
}

void shim_hold(struct chip *chip, unsigned line, const char *consumer) {
	chip_lock(chip);
	struct line *it = &chip->line[line];
	it->request = consumer ? FOREIGN : NOBODY;
	snprintf(it->consumer, sizeof it->consumer, "%s", consumer ? consumer : "");
	it->flags = consumer ? it->flags | GPIO_V2_LINE_FLAG_USED : it->flags & ~(uint64_t)GPIO_V2_LINE_FLAG_USED;
	chip_unlock(chip);
}

void shim_keep_outputs(struct chip *chip, int keep) { chip->keep_outputs = (uint32_t)keep; }
void shim_deny(struct chip *chip, int deny) { chip->denied = (uint32_t)deny; }

void shim_remove(struct chip *chip) {
	chip_lock(chip);
	chip->gone = 1;
	chip->generation++;
	for (int slot = 0; slot < MAX_REQUESTS; slot++) {
		struct request *request = &chip->request[slot];
		if (!request->used || request->dead)
			continue;
		for (uint32_t i = 0; i < request->count; i++)
			line_release(chip, (int)request->offsets[i]);
		request->dead = 1;
		request_wake(chip, slot);
	}
	chip_unlock(chip);
}

void shim_plug(struct chip *chip) { chip->gone = 0; }

int shim_reap(struct chip *chip) {
	chip_lock(chip);
	int freed = chip_reap(chip);
	chip_unlock(chip);
	return freed;
}

/* Records from number `from` on; returns how many were copied. */
unsigned shim_history(struct chip *chip, uint64_t from, struct record *to, unsigned room) {
	unsigned n = 0;
	chip_lock(chip);
	if (chip->recorded > MAX_HISTORY && from < chip->recorded - MAX_HISTORY)
		from = chip->recorded - MAX_HISTORY;
	for (; n < room && from + n < chip->recorded; n++)
		to[n] = chip->history[(from + n) % MAX_HISTORY];
	chip_unlock(chip);
	return n;
}

uint64_t shim_recorded(struct chip *chip) { return chip->recorded; }

uint64_t shim_flags(struct chip *chip, unsigned line) { return chip->line[line].flags; }
const char *shim_consumer(struct chip *chip, unsigned line) { return chip->line[line].consumer; }

/* Edges that wait in the kernel for whoever holds the line. */
unsigned shim_waiting(struct chip *chip, unsigned line) {
	chip_lock(chip);
	int slot = chip->line[line].request;
	unsigned waiting = slot < 0 ? 0 : chip->request[slot].waiting;
	chip_unlock(chip);
	return waiting;
}

/* Whether nobody is inside the chip just now: a stopped process must not be. */
int shim_idle(struct chip *chip) {
	int error = pthread_mutex_trylock(&chip->lock);
	if (error == EOWNERDEAD)
		pthread_mutex_consistent(&chip->lock);
	if (error && error != EOWNERDEAD)
		return 0;
	chip_unlock(chip);
	return 1;
}

void shim_close(struct chip *chip) { munmap(chip, sizeof *chip); }

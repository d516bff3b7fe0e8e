// Whether this executable is all there: checked before anything else runs, because pages that its file lacks
// end the process when they are touched. Where a trainer's parts lie follows from that (driver/trainer.ld).
#include <link.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); // made by the linker

// By name in driver/trainer.ld, in the first pages of the file.
static const char tct_whole_path[] = "/proc/self/exe";
static const char tct_whole_message[] =
    "error[E0715]: this trainer was cut off: its file has %lld bytes and should have %lld\n"
    "  help: copy it again, or build it again with `tercet build`\n";

static void tct_whole_check(int argc, char **argv, char **environment) {
    (void)argc, (void)argv, (void)environment;
    // The table of sections is the last thing in the file.
    const ElfW(Ehdr) *e = &__ehdr_start;
    long long full = (long long)(e->e_shoff + (ElfW(Off))e->e_shnum * e->e_shentsize);
    struct stat st;
    if (stat(tct_whole_path, &st) != 0 || st.st_size >= full) return;
    dprintf(STDERR_FILENO, tct_whole_message, (long long)st.st_size, full);
    _exit(1);
}

// Run by the loader before all constructors.
__attribute__((section(".preinit_array"), used)) static void (*const before_all)(int, char **,
                                                                                 char **) = tct_whole_check;

// tercet: finds the sub-command and runs it.
#include "base/file.h"
#include "base/version.h"
#include "driver/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct tct_command {
    const char *name, *args, *doc;
    int (*run)(int argc, char **argv);
} tct_command;

// LLVM takes longer to load than most commands take that don't need it. So there are two programs: this one,
// made with TERCET_COMPILER, has all commands; without, it starts that for those that compile.
static const tct_command commands[] = {
#define COMMAND(name, args, doc) {#name, args, doc, tct_cmd_##name},
#ifndef TERCET_COMPILER
#define COMPILES(name, args, doc) {#name, args, doc, NULL},
#endif
#include "driver/commands.def"
#undef COMMAND
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *to) {
    fputs("Usage: tercet COMMAND [ARGUMENT...]\n"
          "Compiles and runs programs that train language models from human feedback.\n\n"
          "Commands:\n",
          to);
    for (int k = 0; k < N_COMMANDS; k++)
        fprintf(to, "  tercet %s %s\n        %s\n", commands[k].name, commands[k].args, commands[k].doc);
    fputs("\n`tercet COMMAND --help` describes the options of a command.\n"
          "  -h, --help     print this text\n"
          "  -V, --version  print the version\n\n"
          "Exit status: 0 done, 1 an error in the input, 2 a wrong command line.\n"
          "Environment: TERCET_STD    the folder of the library (where core.tct is)\n"
          "             TERCET_CACHE  the folder of the compile cache, or off\n"
          "             NO_COLOR      no colours, when it is set and not empty\n",
          to);
}

static int unknown_command(const char *word) {
    const char *names[N_COMMANDS];
    for (int k = 0; k < N_COMMANDS; k++) names[k] = commands[k].name;
    tct_diag d = {0};
    tct_error(&d, "E0901", TCT_NO_SPAN, "there is no command `%s`", word);
    const char *near = tct_nearest(word, names, N_COMMANDS);
    if (near)
        tct_help(&d, "did you mean `tercet %s`?", near);
    else
        tct_help(&d, "`tercet --help` lists the commands");
    tct_report(&d);
    return TCT_EXIT_USAGE;
}

static int start_compiler(char **argv) {
    tct_diag d = {0};
    const char *program = tct_path_join(&d.arena, tct_program_folder(&d.arena), "tercet-compiler");
    execv(program, argv);
    tct_error(&d, "E0701", TCT_NO_SPAN, "cannot start %s: %s", program, strerror(errno));
    tct_help(&d, "it compiles for tercet, and belongs into the same folder");
    return tct_report(&d);
}

static int run(const tct_command *c, int argc, char **argv) {
    if (!c->run) return start_compiler(argv);
    char name[64];
    snprintf(name, sizeof name, "tercet %s", c->name);
    argv[1] = name;
    int status = c->run(argc - 1, argv + 1);
    argv[1] = (char *)(uintptr_t)c->name;
    return status;
}

int main(int argc, char **argv) {
    argp_err_exit_status = TCT_EXIT_USAGE;
    if (argc < 2) {
        usage(stderr);
        return TCT_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        usage(stdout);
        return TCT_EXIT_OK;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("tercet %s\n", tct_version());
        return TCT_EXIT_OK;
    }
    for (int k = 0; k < N_COMMANDS; k++)
        if (strcmp(word, commands[k].name) == 0) return run(&commands[k], argc, argv);
    return unknown_command(word);
}

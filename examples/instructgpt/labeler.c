/* The simulated labeler of the example: judges an answer to an instruction of the small world, by rules.

   Pure functions, called from instructgpt.tct as externs. They keep no state, allocate nothing, and are safe
   to call from any thread; the same arguments give the same result.

   The gold score is the sum, in points, of
     task        up to 2, see below; 0 for a prompt that asks for nothing known
     manners     +1.5 for at least one courteous phrase; -1.5 for every rude word, at most -3
     ending      +0.5 if the answer ends with . ! or ?, else -0.5
     length      -1 for fewer than two words, -0.1 for every word over 24
     repetition  -0.5 for every sequence of three words that came before in the answer, at most -2
     language    -0.5 for every word that this world does not know, at most -2

   Task, by what the prompt asks:
     list        "Name three animals", or lists to go on with (as many things as in the first one):
                 "tools: axe, rake. foods: fig, nut. animals:".
                 found / (found + other) plus 1 - |found - asked| / asked, not below 0, where found
                 counts different things of the asked kind and other the things of other kinds;
                 -0.5 where dashes were asked and a thing lacks its own "- " line, or where there are
                 dashes that nobody asked for
     sentences   "Write two sentences about Mia and the fox":
                 the share of the prompt's names and things that the answer mentions, plus
                 1 - |sentences - asked| / asked, not below 0, where a sentence has two words or more
                 and is not a mere courtesy */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LABELER_API __attribute__((visibility("default")))

LABELER_API double labeler_score(const char *prompt, const char *response);
LABELER_API void labeler_scores(const char *const *prompts, int64_t n, const char *const *responses,
                                int64_t m, double *scores);
LABELER_API void labeler_rank(const char *prompt, const char *const *responses, int64_t n, int64_t seed,
                              double noise, int64_t *ranks);

enum { MAX_WORDS = 160, MAX_LETTERS = 24, MAX_KEYS = 8, NONE = -1, MAX_RANKED = 64 };

/* ---- the tables ---- */

enum kind {
#define CLASS(singular, plural) KIND_##singular,
#include "labeler_words.def"
    KIND_COUNT
};

enum noun {
#define NOUN(singular, plural, kind) NOUN_##singular,
#include "labeler_words.def"
    NOUN_COUNT
};

static const struct {
    const char *one, *many;
} kinds[] = {
#define CLASS(singular, plural) {#singular, #plural},
#include "labeler_words.def"
};

static const struct {
    const char *one, *many;
    enum kind kind;
} nouns[] = {
#define NOUN(singular, plural, kind) {#singular, #plural, KIND_##kind},
#include "labeler_words.def"
};

static const char *const names[] = {
#define NAME(name, pronoun) #name,
#include "labeler_words.def"
};

static const char *const opposites[] = {
#define OPPOSITE(word, other) #word, #other,
#include "labeler_words.def"
};

static const struct {
    const char *word;
    int number;
} counts[] = {
#define COUNT(word, number) {#word, number},
#include "labeler_words.def"
};

static const char *const polite[] = {
#define POLITE(phrase) phrase,
#include "labeler_words.def"
};

static const char *const rude[] = {
#define RUDE(word) #word,
#include "labeler_words.def"
};

static const char *const others[] = {
#define WORD(word) #word,
#include "labeler_words.def"
};

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

/* ---- reading: a text becomes words with the marks around them ---- */

struct word {
    char text[MAX_LETTERS]; /* lower case; longer words are cut, which makes them unknown */
    int noun;               /* index into nouns, or NONE */
    int kind;               /* index into kinds where the word is a kind's name, or NONE */
    int name;               /* index into names, or NONE */
    bool dash;              /* first on a line that starts with "- " */
    bool ends;              /* followed by . ! or ? */
    bool colon;             /* followed by : */
};

struct text {
    struct word words[MAX_WORDS]; /* what comes after them is not read */
    int count;
    bool closed; /* the last mark but blanks is . ! or ? */
};

static bool same_letters(const char *lower, const char *word) {
    while (*lower && *word) {
        char c = *word >= 'A' && *word <= 'Z' ? (char)(*word - 'A' + 'a') : *word;
        if (*lower++ != c) return false;
        word++;
    }
    return !*lower && !*word;
}

static int find(const char *lower, const char *const *list, int count) {
    for (int i = 0; i < count; i++)
        if (same_letters(lower, list[i])) return i;
    return NONE;
}

static void look_up(struct word *w) {
    w->noun = w->kind = NONE;
    for (int i = 0; i < NOUN_COUNT && w->noun == NONE; i++)
        if (same_letters(w->text, nouns[i].one) || same_letters(w->text, nouns[i].many)) w->noun = i;
    for (int i = 0; i < KIND_COUNT && w->kind == NONE; i++)
        if (same_letters(w->text, kinds[i].one) || same_letters(w->text, kinds[i].many)) w->kind = i;
    w->name = find(w->text, names, LENGTH(names));
}

static bool is_letter(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

static void read_text(struct text *t, const char *s) {
    t->count = 0;
    t->closed = false;
    bool line_start = true, dash = false;
    while (*s && t->count < MAX_WORDS && strncmp(s, "<|", 2) != 0) {
        if (is_letter((unsigned char)*s)) {
            struct word *w = &t->words[t->count++];
            int n = 0;
            for (; is_letter((unsigned char)*s); s++)
                if (n < MAX_LETTERS - 1) w->text[n++] = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
            w->text[n] = 0;
            w->dash = dash;
            w->ends = w->colon = false;
            look_up(w);
            t->closed = line_start = dash = false;
            continue;
        }
        struct word *last = t->count ? &t->words[t->count - 1] : NULL;
        if (*s == '.' || *s == '!' || *s == '?') {
            t->closed = true;
            if (last) last->ends = true;
        } else if (*s != ' ' && *s != '\n') {
            t->closed = false;
        }
        if (*s == ':' && last) last->colon = true;
        dash = line_start && s[0] == '-' && s[1] == ' ' ? true : dash && *s == ' ';
        line_start = *s == '\n' || (line_start && *s == ' ');
        s++;
    }
}

/* ---- what the prompt asks ---- */

enum asks { ASKS_NOTHING, ASKS_LIST, ASKS_SENTENCES };

struct task {
    enum asks asks;
    int number;         /* of things or sentences */
    int kind;           /* list: the kind asked for */
    bool dashes;        /* list */
    int keys[MAX_KEYS]; /* sentences: nouns, or NOUN_COUNT + name */
    int key_count;      /* sentences */
};

static int number_of(const char *lower) {
    for (int i = 0; i < LENGTH(counts); i++)
        if (same_letters(lower, counts[i].word)) return counts[i].number;
    return 0;
}

/* Lists to go on with: "tools: axe, rake. foods: fig, nut. animals:"; false for anything else. */
static bool read_pattern(struct task *task, const struct text *p, int from, int to) {
    if (to - from < 3 || !p->words[from].colon || !p->words[to - 1].colon || p->words[to - 1].kind == NONE)
        return false;
    int shown = 0;
    for (int i = from + 1; i < to - 1; i++) {
        shown += p->words[i].noun != NONE;
        if (p->words[i].ends) break;
    }
    task->asks = shown ? ASKS_LIST : ASKS_NOTHING;
    task->number = shown;
    task->kind = p->words[to - 1].kind;
    return shown > 0;
}

static void read_task(struct task *task, const struct text *p) {
    *task = (struct task){.asks = ASKS_NOTHING, .kind = NONE};
    int from = p->count && same_letters(p->words[0].text, "User") ? 1 : 0;
    int to = p->count > from && same_letters(p->words[p->count - 1].text, "Bot") ? p->count - 1 : p->count;
    if (read_pattern(task, p, from, to)) return;
    bool sentences = false;
    for (int i = from; i < to; i++) {
        const struct word *w = &p->words[i];
        int number = number_of(w->text);
        task->number = number ? number : task->number;
        sentences |= same_letters(w->text, "sentence") || same_letters(w->text, "sentences");
        task->dashes |= same_letters(w->text, "dashes");
        task->kind = w->kind != NONE ? w->kind : task->kind;
        int key = w->noun != NONE ? w->noun : w->name != NONE ? NOUN_COUNT + w->name : NONE;
        if (key != NONE && task->key_count < MAX_KEYS) task->keys[task->key_count++] = key;
    }
    if (sentences && task->number && task->key_count)
        task->asks = ASKS_SENTENCES;
    else if (task->number && task->kind != NONE)
        task->asks = ASKS_LIST;
}

/* ---- judging ---- */

static double least(double x, double y) { return x < y ? x : y; }
static double most(double x, double y) { return x > y ? x : y; }

/* Words from `at` that make up `phrase`, or 0. */
static int phrase_length(const struct text *r, int at, const char *phrase) {
    int n = 0;
    while (*phrase) {
        if (at + n >= r->count) return 0;
        const char *w = r->words[at + n].text;
        size_t len = strlen(w);
        if (strncmp(phrase, w, len) != 0 || (phrase[len] != ' ' && phrase[len] != 0)) return 0;
        phrase += len + (phrase[len] == ' ');
        n++;
    }
    return n;
}

static int courtesy_at(const struct text *r, int at) {
    for (int i = 0; i < LENGTH(polite); i++) {
        int n = phrase_length(r, at, polite[i]);
        if (n) return n;
    }
    return 0;
}

/* 1 for as many as asked, less in proportion for more or fewer, down to 0. */
static double closeness(int count, int asked) { return most(0, 1 - fabs((double)count - asked) / asked); }

static double judge_list(const struct task *task, const struct text *r) {
    bool seen[NOUN_COUNT] = {false};
    int found = 0, other = 0, dashes = 0, dashed = 0;
    for (int i = 0; i < r->count; i++) {
        const struct word *w = &r->words[i];
        dashes += w->dash;
        if (w->noun == NONE || seen[w->noun]) continue;
        seen[w->noun] = true;
        if ((int)nouns[w->noun].kind == task->kind)
            found++, dashed += w->dash;
        else
            other++;
    }
    bool laid_out = task->dashes ? found && dashed == found : dashes == 0;
    double share = found ? (double)found / (found + other) : 0;
    return share + closeness(found, task->number) - (laid_out ? 0 : 0.5);
}

static double judge_sentences(const struct task *task, const struct text *r) {
    int mentioned = 0;
    for (int k = 0; k < task->key_count; k++)
        for (int i = 0; i < r->count; i++)
            if (r->words[i].noun == task->keys[k] || r->words[i].name + NOUN_COUNT == task->keys[k]) {
                mentioned++;
                break;
            }
    int sentences = 0;
    for (int i = 0, start = 0; i < r->count; i++)
        if (r->words[i].ends) {
            int words = i + 1 - start;
            sentences += words >= 2 && courtesy_at(r, start) != words;
            start = i + 1;
        }
    return (double)mentioned / task->key_count + closeness(sentences, task->number);
}

static bool is_known(const struct word *w) {
    return w->noun != NONE || w->kind != NONE || w->name != NONE || number_of(w->text) ||
           find(w->text, opposites, LENGTH(opposites)) != NONE ||
           find(w->text, others, LENGTH(others)) != NONE || find(w->text, rude, LENGTH(rude)) != NONE;
}

static double judge_language(const struct text *r) {
    int courteous = 0, rude_words = 0, unknown = 0, repeated = 0;
    for (int i = 0; i < r->count; i++) {
        courteous += courtesy_at(r, i) > 0;
        rude_words += find(r->words[i].text, rude, LENGTH(rude)) != NONE;
        unknown += !is_known(&r->words[i]);
        for (int j = 0; j + 1 <= i && i + 2 < r->count; j++)
            if (!strcmp(r->words[i].text, r->words[j].text) &&
                !strcmp(r->words[i + 1].text, r->words[j + 1].text) &&
                !strcmp(r->words[i + 2].text, r->words[j + 2].text)) {
                repeated++;
                break;
            }
    }
    double points = (courteous ? 1.5 : 0) - least(1.5 * rude_words, 3) - least(0.5 * unknown, 2);
    points -= least(0.5 * repeated, 2);
    points += r->closed ? 0.5 : -0.5;
    return points - (r->count < 2 ? 1 : 0) - 0.1 * most(0, r->count - 24);
}

/* The gold score of `response` to `prompt`, in points: about -8 at worst, 4 at best. Both are UTF-8 and end
   in NUL; what follows a special token ("<|") is not read, nor what follows the first 160 words. */
double labeler_score(const char *prompt, const char *response) {
    struct text p, r;
    struct task task;
    read_text(&p, prompt);
    read_text(&r, response);
    read_task(&task, &p);
    double points = judge_language(&r);
    switch (task.asks) {
    case ASKS_LIST:
        return points + judge_list(&task, &r);
    case ASKS_SENTENCES:
        return points + judge_sentences(&task, &r);
    case ASKS_NOTHING:
        break;
    }
    return points;
}

/* The gold scores of m responses, each to the prompt in its place; those without one (m > n) are left alone.
 */
void labeler_scores(const char *const *prompts, int64_t n, const char *const *responses, int64_t m,
                    double *scores) {
    for (int64_t i = 0; i < n && i < m; i++) scores[i] = labeler_score(prompts[i], responses[i]);
}

/* ---- ranking, with noise ---- */

static uint64_t mix(uint64_t z) {
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A standard normal draw that depends on seed and index alone (Box-Muller). */
static double normal(uint64_t seed, uint64_t index) {
    uint64_t a = mix(mix(seed) ^ (2 * index)), b = mix(mix(seed) ^ (2 * index + 1));
    double u = ((double)(a >> 11) + 0.5) * 0x1p-53, v = (double)(b >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Ranks `n` responses (at most 64) into ranks[0..n-1], 1 = best. The labeler sees the gold score plus normal
   noise of standard deviation `noise` points, and tells half points apart: equal halves tie, as do equal
   texts, and the ranks after a tie go on without a gap. The noise depends on `seed` and the response's place,
   nothing else. More than 64 responses, or a noise that is negative or no finite number, get rank 0, "not
   judged". */
void labeler_rank(const char *prompt, const char *const *responses, int64_t n, int64_t seed, double noise,
                  int64_t *ranks) {
    double seen[MAX_RANKED];
    for (int64_t i = 0; i < n; i++) ranks[i] = 0;
    if (n > MAX_RANKED || !(noise >= 0 && noise < INFINITY)) return;
    for (int64_t i = 0; i < n; i++) {
        int64_t twin = 0;
        while (strcmp(responses[twin], responses[i]) != 0) twin++;
        double points = labeler_score(prompt, responses[i]) + noise * normal((uint64_t)seed, (uint64_t)i);
        seen[i] = twin < i ? seen[twin] : floor(2 * points + 0.5);
    }
    double last = INFINITY;
    for (int64_t rank = 1; rank <= n; rank++) {
        double best = -INFINITY;
        for (int64_t i = 0; i < n; i++) best = seen[i] < last ? most(best, seen[i]) : best;
        for (int64_t i = 0; i < n; i++)
            if (seen[i] == best) ranks[i] = rank;
        last = best;
    }
}

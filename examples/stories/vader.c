/* Sentiment of a text by a lexicon in VADER's format: lines "word <tab> mean valence <tab> anything".

   The score of a text is s / sqrt(s * s + 15), between -1 and 1, where s is the sum of the valences of its
   words. A word within three words after a negation (no, not, never, without, nothing, or ending in n't)
   counts -0.74 times its valence. Words are runs of letters and apostrophes, compared in lower case (ASCII);
   entries of the lexicon that are not such words, emoticons among them, are not used.

   Called from stories.tct as externs. The lexicon is read anew at each call and nothing is kept, so the
   functions are safe to call from any thread; score a whole batch in one call. A lexicon that can't be read
   gives NaN. */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VADER_API __attribute__((visibility("default")))

VADER_API double vader_score(const char *lexicon, const char *text);
VADER_API void vader_scores(const char *lexicon, const char *const *texts, int64_t n, double *scores);

enum { MAX_LETTERS = 32, NEGATION_REACH = 3 };

struct entry {
    char word[MAX_LETTERS]; /* empty: free slot */
    double valence;
};

/* An open-addressing hash table; `slots` is a power of two, at most half full. */
struct lexicon {
    struct entry *entries;
    size_t slots, used;
};

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\''; }

/* Takes the run of letters at *s in lower case, without apostrophes at its ends, and moves *s behind it.
   Returns its length; 0 for a run that is too long or has no letter. */
static size_t take_word(const char **s, char word[MAX_LETTERS]) {
    size_t n = 0;
    bool fits = true;
    for (; is_letter(**s); ++*s) {
        if (n == 0 && **s == '\'') continue;
        if (n < MAX_LETTERS - 1)
            word[n++] = **s >= 'A' && **s <= 'Z' ? (char)(**s - 'A' + 'a') : **s;
        else
            fits = false;
    }
    while (n && word[n - 1] == '\'') n--;
    word[n] = 0;
    return fits ? n : 0;
}

/* The slot that holds `word`, or the free one where it belongs. */
static struct entry *slot_of(const struct lexicon *l, const char *word) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (const char *c = word; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    size_t i = (size_t)(hash ^ (hash >> 32)) & (l->slots - 1);
    while (l->entries[i].word[0] && strcmp(l->entries[i].word, word) != 0) i = (i + 1) & (l->slots - 1);
    return &l->entries[i];
}

static bool grow(struct lexicon *l) {
    struct lexicon wider = {.slots = l->slots ? 2 * l->slots : 4096, .used = l->used};
    wider.entries = calloc(wider.slots, sizeof *wider.entries);
    if (!wider.entries) return false;
    for (size_t i = 0; i < l->slots; i++)
        if (l->entries[i].word[0]) *slot_of(&wider, l->entries[i].word) = l->entries[i];
    free(l->entries);
    *l = wider;
    return true;
}

/* Reads the lexicon; the caller frees l->entries either way. */
static bool read_lexicon(struct lexicon *l, const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    char line[512], word[MAX_LETTERS];
    bool fine = true, line_start = true;
    while (fine && fgets(line, sizeof line, f)) {
        bool whole = strchr(line, '\n') != NULL, first = line_start;
        line_start = whole;
        const char *s = line;
        if (!first || !take_word(&s, word) || *s != '\t') continue;
        char *end;
        double valence = strtod(s + 1, &end);
        if (end == s + 1 || !(fabs(valence) <= 100)) continue;
        if (2 * (l->used + 1) > l->slots && !grow(l)) {
            fine = false;
            break;
        }
        struct entry *e = slot_of(l, word);
        if (!e->word[0]) {
            memcpy(e->word, word, sizeof word);
            e->valence = valence;
            l->used++;
        }
    }
    fine = fine && !ferror(f) && l->used > 0;
    fclose(f);
    return fine;
}

static bool negates(const char *word) {
    size_t n = strlen(word);
    return !strcmp(word, "no") || !strcmp(word, "not") || !strcmp(word, "never") ||
           !strcmp(word, "without") || !strcmp(word, "nothing") || (n > 3 && !strcmp(word + n - 3, "n't"));
}

static double score(const struct lexicon *l, const char *text) {
    char word[MAX_LETTERS];
    double sum = 0;
    int since_negation = NEGATION_REACH;
    while (*text) {
        if (!is_letter(*text)) {
            text++;
            continue;
        }
        if (!take_word(&text, word)) continue;
        const struct entry *e = slot_of(l, word);
        if (e->word[0]) sum += since_negation < NEGATION_REACH ? -0.74 * e->valence : e->valence;
        since_negation = negates(word) ? 0 : since_negation + (since_negation < NEGATION_REACH);
    }
    return sum / sqrt(sum * sum + 15);
}

/* Scores n texts into scores[0..n-1]. */
void vader_scores(const char *lexicon, const char *const *texts, int64_t n, double *scores) {
    struct lexicon l = {0};
    bool fine = read_lexicon(&l, lexicon);
    for (int64_t i = 0; i < n; i++) scores[i] = fine ? score(&l, texts[i]) : NAN;
    free(l.entries);
}

double vader_score(const char *lexicon, const char *text) {
    double result;
    vader_scores(lexicon, &text, 1, &result);
    return result;
}

// What a register of the stage machine holds. Numbers stand in the value itself; everything else is an object
// on the heap that counts its holders. Strings never change. Tensors and lists are values of the language:
// they are shared until one holder changes them. Models, optimizers, data sets and records are references.
// Not thread-safe: one machine, one thread.
#ifndef TCT_RUNTIME_VALUE_H
#define TCT_RUNTIME_VALUE_H

#include "base/setting.h"
#include "runtime/dataset.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

typedef struct tct_text {
    uint32_t refs;
    size_t len;
    char text[]; // NUL-terminated
} tct_text;

typedef struct tct_list tct_list;

typedef struct tct_array {
    uint32_t refs;
    tct_tensor t;
} tct_array;

typedef struct tct_model {
    uint32_t refs;
    uint32_t number; // of program.models
    const tct_model_desc *desc;
    tct_tensor *params; // desc->n_params, owned
} tct_model;

typedef struct tct_optimizer {
    uint32_t refs;
    uint32_t number; // of program.optimizers
    const tct_optimizer_desc *desc;
    tct_model **models; // desc->n_models, each a reference held
    tct_tensor *states; // parameter * n_states + state
    tct_tensor *grads;  // gradient sums, one a parameter; NULL unless desc->accumulates
    int64_t step;
} tct_optimizer;

typedef struct tct_tokenizer_ref {
    uint32_t refs;
    char *path;
    tct_tokenizer *tokenizer;
} tct_tokenizer_ref;

// A data set and how it was opened, so that a checkpoint can open it again.
typedef struct tct_dataset_ref {
    uint32_t refs;
    tct_dataset *data;
    tct_tokenizer_ref *tokenizer; // a reference held
    char *path;                   // NULL: made of records
    tct_records records;          // a copy of what it was made of, when path is NULL
    char *template_text;          // "" for none
    char *chat;                   // "" for none
    tct_data_kind kind;
    tct_dataset_options options; // as asked for; its style points to the two texts above
    uint64_t given;              // batches since the data set was opened or rewound
} tct_dataset_ref;

typedef struct tct_records_ref {
    uint32_t refs;
    tct_records records;
} tct_records_ref;

typedef struct tct_value {
    uint8_t kind; // tct_kind
    union {
        int64_t i;
        double f;
        bool b;
        uint32_t *refs; // of any object below
        tct_text *text;
        tct_list *list;
        tct_array *array;
        tct_model *model;
        tct_optimizer *optimizer;
        tct_tokenizer_ref *tokenizer;
        tct_dataset_ref *dataset;
        tct_records_ref *records;
    };
} tct_value;

struct tct_list {
    uint32_t refs;
    tct_value *items; // owned
    size_t len, cap;
};

const char *tct_kind_name(tct_kind k); // "int", "list", "data set", …

tct_value tct_value_int(int64_t i);
tct_value tct_value_float(double f);
tct_value tct_value_bool(bool b);
tct_value tct_value_string(const char *text, size_t len); // copied
tct_value tct_value_list(void);                           // empty
// A zeroed tensor. Reports E0703 or E0801; *out is then NONE.
bool tct_value_tensor(tct_diag *d, tct_dtype dtype, uint32_t n_axes, const char *const *axes,
                      const int64_t *sizes, tct_value *out);

// The same value for one more holder.
tct_value tct_value_share(tct_value v);
// Gives one hold up and leaves NONE; the last holder frees the object.
void tct_value_drop(tct_value *v);
// Puts `v` into *dst, taking its hold over; what was there is dropped.
void tct_value_set(tct_value *dst, tct_value v);

// Makes the list or tensor in *v this holder's alone: copies it when others hold it too.
void tct_value_own_list(tct_value *v);
// Takes `item`'s hold over. The list must have one holder.
void tct_list_push(tct_list *l, tct_value item);

// The tensor in *v to be overwritten in full: the one that is there when it has this shape and no other
// holder, a new one otherwise. Reports E0801.
bool tct_value_reuse_tensor(tct_diag *d, tct_dtype dtype, uint32_t n_axes, const char *const *axes,
                            const int64_t *sizes, tct_value *v);

// Number in a value of kind INT, FLOAT or BOOL.
double tct_value_number(tct_value v);
// Appends the value as a person reads it: 0.25, true, text, [1, 2], f32[B=4] with its elements when few.
void tct_value_print(tct_value v, tct_buf *out);

#endif

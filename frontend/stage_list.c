// Lists of stage code: written out, and the types of their elements, which an empty list leaves open until
// something is appended.
#include "frontend/stage_internal.h"

static bool fits_into_lists(tct_kind k) {
    return k == TCT_KIND_INT || k == TCT_KIND_FLOAT || k == TCT_KIND_BOOL || k == TCT_KIND_STRING ||
           k == TCT_KIND_LIST;
}

bool tct_stage_is_element(tct_elab *e, const tct_val *v) { return fits_into_lists(tct_stage_kind(e, v)); }

// Every list that was linked to this one gets its type.
static void settle(tct_elab *e, uint32_t list, tct_kind element, tct_kind element2) {
    tct_reg_type *t = &e->stage->regs.data[list];
    if (t->element == element && t->element2 == element2) return;
    t->element = (uint8_t)element;
    t->element2 = (uint8_t)element2;
    for (size_t i = 0; i < e->stage->same.len; i++) {
        stage_same s = e->stage->same.data[i];
        if (s.a == list) settle(e, s.b, element, element2);
        if (s.b == list) settle(e, s.a, element, element2);
    }
}

bool tct_stage_list_of(tct_elab *e, uint32_t list, tct_kind element, tct_kind element2) {
    const tct_reg_type t = *tct_stage_type(e, list);
    tct_kind first = t.element == TCT_KIND_NONE ? element : (tct_kind)t.element;
    if (first != element && element != TCT_KIND_NONE) return false;
    if (first != TCT_KIND_LIST) element2 = TCT_KIND_NONE;
    tct_kind second = t.element2 == TCT_KIND_NONE ? element2 : (tct_kind)t.element2;
    if (second != element2 && element2 != TCT_KIND_NONE) return false;
    settle(e, list, first, second);
    return true;
}

static bool is_open(const tct_reg_type *t) {
    return t->element == TCT_KIND_NONE || (t->element == TCT_KIND_LIST && t->element2 == TCT_KIND_NONE);
}

bool tct_stage_same_list(tct_elab *e, uint32_t a, uint32_t b) {
    const tct_reg_type p = *tct_stage_type(e, a), q = *tct_stage_type(e, b);
    if (!tct_stage_list_of(e, a, (tct_kind)q.element, (tct_kind)q.element2) ||
        !tct_stage_list_of(e, b, (tct_kind)p.element, (tct_kind)p.element2))
        return false;
    if (is_open(tct_stage_type(e, a))) TCT_PUSH(&e->stage->same, ((stage_same){a, b}));
    return true;
}

bool tct_stage_has_elements(tct_elab *e, uint32_t list, tct_span span) {
    if (!is_open(tct_stage_type(e, list))) return true;
    tct_elab_error(e, "E0502", span,
                   "nothing has been appended to this list up to here: the type of its elements isn't known");
    return false;
}

static void append(tct_elab *e, uint32_t list, uint32_t item, tct_span span) {
    uint32_t *args = TCT_NEW_ARRAY(&e->arena, uint32_t, 2);
    args[0] = list;
    args[1] = item;
    tct_call c = {.builtin = TCT_BUILTIN_APPEND, .n_args = 2, .args = args, .generator = NO_REG};
    TCT_PUSH(&e->stage->calls, c);
    tct_stage_emit(e, TCT_I_CALL, 0, (uint32_t)e->stage->calls.len - 1, 0, 0, span);
}

// The kind that all elements have; ints among floats are floats.
static bool common_kind(tct_elab *e, const tct_val *v, tct_span span, tct_kind *out) {
    *out = TCT_KIND_NONE;
    for (uint32_t i = 0; i < v->n_items; i++) {
        const tct_val *item = v->items[i];
        tct_kind k = tct_stage_kind(e, item);
        if (!fits_into_lists(k)) {
            tct_elab_error(e, "E0502", item->span.file ? item->span : span,
                           "a list holds numbers, bools, strings or lists, found %s",
                           tct_val_describe(e, item));
            return false;
        }
        bool number = k == TCT_KIND_INT || k == TCT_KIND_FLOAT;
        if (i == 0 || (*out == TCT_KIND_INT && k == TCT_KIND_FLOAT))
            *out = k;
        else if (*out != k && !(*out == TCT_KIND_FLOAT && number)) {
            tct_elab_error(e, "E0502", item->span.file ? item->span : span,
                           "the elements of a list have one type, found %s and %s",
                           tct_val_describe(e, v->items[0]), tct_val_describe(e, item));
            return false;
        }
    }
    return true;
}

uint32_t tct_stage_make_list(tct_elab *e, tct_val *v, tct_span span) {
    tct_kind element;
    if (!common_kind(e, v, span, &element)) return NO_REG;
    uint32_t *items = TCT_NEW_ARRAY(&e->arena, uint32_t, v->n_items + 1);
    uint32_t list = tct_stage_list_reg(e, element, TCT_KIND_NONE, span)->reg;
    for (uint32_t i = 0; i < v->n_items; i++) {
        items[i] = tct_stage_load(e, v->items[i], element, span);
        if (items[i] == NO_REG) return NO_REG;
        if (element != TCT_KIND_LIST) continue;
        const tct_reg_type t = *tct_stage_type(e, items[i]);
        if (t.element == TCT_KIND_LIST) {
            tct_elab_error(e, "E0502", span, "lists nest two levels deep at most");
            return NO_REG;
        }
        if (!tct_stage_list_of(e, list, TCT_KIND_LIST, (tct_kind)t.element)) {
            tct_elab_error(e, "E0502", v->items[i]->span.file ? v->items[i]->span : span,
                           "the elements of a list have one type, and this list has others than the first");
            return NO_REG;
        }
    }
    tct_stage_emit(e, TCT_I_LIST, list, 0, 0, 0, span);
    for (uint32_t i = 0; i < v->n_items; i++) append(e, list, items[i], span);
    return list;
}

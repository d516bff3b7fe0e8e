// Values from tables, and arithmetic of stage code on numbers and strings.
#include "runtime/vm_scalar.h"

#include "base/file.h"

#include <assert.h>
#include <math.h>

static bool integer(tct_vm *vm, const tct_instr *at, int64_t a, int64_t b, int64_t *out) {
    bool overflow = false;
    switch ((tct_opcode)at->op) {
    case TCT_I_IADD:
        overflow = __builtin_add_overflow(a, b, out);
        break;
    case TCT_I_ISUB:
        overflow = __builtin_sub_overflow(a, b, out);
        break;
    case TCT_I_IMUL:
        overflow = __builtin_mul_overflow(a, b, out);
        break;
    default:
        if (b == 0) {
            tct_error(vm->d, "E0809", at->span, "%lld %s 0: integers cannot be divided by zero", (long long)a,
                      at->op == TCT_I_IDIV ? "//" : "%");
            return false;
        }
        if (b == -1) { // the one division that overflows
            overflow = at->op == TCT_I_IDIV && __builtin_sub_overflow((int64_t)0, a, out);
            if (at->op == TCT_I_IMOD) *out = 0;
            break;
        }
        int64_t quotient = a / b, rest = a % b;
        bool down = rest != 0 && (rest < 0) != (b < 0);
        *out = at->op == TCT_I_IDIV ? quotient - down : rest + (down ? b : 0);
    }
    if (!overflow) return true;
    return tct_error(vm->d, "E0811", at->span,
                     "the result does not fit an int (64 bits): operands %lld and %lld", (long long)a,
                     (long long)b);
}

static double real(uint16_t op, double a, double b) {
    switch ((tct_opcode)op) {
    case TCT_I_FADD:
        return a + b;
    case TCT_I_FSUB:
        return a - b;
    case TCT_I_FMUL:
        return a * b;
    case TCT_I_FDIV:
        return a / b;
    case TCT_I_FMOD:
        return a - floor(a / b) * b;
    default:
        return pow(a, b);
    }
}

static double function(uint32_t number, double x) {
    switch ((tct_math)number) {
    case TCT_MATH_ABS:
        return fabs(x);
    case TCT_MATH_EXP:
        return exp(x);
    case TCT_MATH_LOG:
        return log(x);
    case TCT_MATH_SQRT:
        return sqrt(x);
    case TCT_MATH_FLOOR:
        return floor(x);
    case TCT_MATH_ROUND:
        return nearbyint(x);
    case TCT_MATH_SIN:
        return sin(x);
    case TCT_MATH_COS:
        return cos(x);
    case TCT_MATH_TANH:
        return tanh(x);
    }
    return x;
}

static bool truncated(tct_vm *vm, const tct_instr *at, double x, int64_t *out) {
    if (x >= -0x1p63 && x < 0x1p63) {
        *out = (int64_t)x;
        return true;
    }
    return tct_error(vm->d, "E0811", at->span, "int(%g): the number does not fit an int", x);
}

static bool same_text(const tct_text *a, const tct_text *b) {
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static tct_value joined(const tct_text *a, const tct_text *b) {
    tct_buf text = {0};
    tct_buf_add(&text, a->text, a->len);
    tct_buf_add(&text, b->text, b->len);
    tct_value v = tct_value_string(text.data, text.len);
    tct_buf_free(&text);
    return v;
}

tct_value tct_vm_path(const tct_program *p, const char *text) {
    tct_arena a = {0};
    const char *path = tct_path_join(&a, p->folder, text);
    tct_value v = tct_value_string(path, strlen(path));
    tct_arena_free(&a);
    return v;
}

static tct_value constant(const tct_program *p, const tct_const *c) {
    switch ((tct_kind)c->kind) {
    case TCT_KIND_INT:
        return tct_value_int(c->i);
    case TCT_KIND_FLOAT:
        return tct_value_float(c->f);
    case TCT_KIND_BOOL:
        return tct_value_bool(c->i != 0);
    case TCT_KIND_STRING:
        return c->i ? tct_vm_path(p, c->s) : tct_value_string(c->s, strlen(c->s));
    default:
        assert(!"a constant has one of the kinds above");
        return (tct_value){0};
    }
}

bool tct_vm_scalar(tct_vm *vm, const tct_instr *at) {
    tct_value *dst = &vm->regs[at->dst];
    if (at->op == TCT_I_CONST || at->op == TCT_I_CONFIG) {
        const tct_program *p = vm->program;
        bool config = at->op == TCT_I_CONFIG;
        tct_value_set(dst, config ? tct_value_share(vm->config[at->a]) : constant(p, &p->consts[at->a]));
        return true;
    }
    tct_value a = vm->regs[at->a], b = {0};
    bool unary = at->op == TCT_I_MOVE || at->op == TCT_I_INEG || at->op == TCT_I_FNEG ||
                 at->op == TCT_I_NOT || at->op == TCT_I_FLOAT || at->op == TCT_I_INT || at->op == TCT_I_MATH;
    if (!unary) b = vm->regs[at->b];
    int64_t i = 0;
    switch ((tct_opcode)at->op) {
    case TCT_I_MOVE:
        tct_value_set(dst, tct_value_share(a));
        return true;
    case TCT_I_IADD:
    case TCT_I_ISUB:
    case TCT_I_IMUL:
    case TCT_I_IDIV:
    case TCT_I_IMOD:
        if (!integer(vm, at, a.i, b.i, &i)) return false;
        tct_value_set(dst, tct_value_int(i));
        return true;
    case TCT_I_INEG:
        if (a.i == INT64_MIN)
            return tct_error(vm->d, "E0811", at->span, "the result does not fit an int (64 bits)");
        tct_value_set(dst, tct_value_int(-a.i));
        return true;
    case TCT_I_FADD:
    case TCT_I_FSUB:
    case TCT_I_FMUL:
    case TCT_I_FDIV:
    case TCT_I_FMOD:
    case TCT_I_FPOW:
        tct_value_set(dst, tct_value_float(real(at->op, a.f, b.f)));
        return true;
    case TCT_I_FNEG:
        tct_value_set(dst, tct_value_float(-a.f));
        return true;
    case TCT_I_NOT:
        tct_value_set(dst, tct_value_bool(!a.b));
        return true;
    case TCT_I_ILT:
        tct_value_set(dst, tct_value_bool(a.i < b.i));
        return true;
    case TCT_I_ILE:
        tct_value_set(dst, tct_value_bool(a.i <= b.i));
        return true;
    case TCT_I_IEQ:
        tct_value_set(dst, tct_value_bool(a.i == b.i));
        return true;
    case TCT_I_FLT:
        tct_value_set(dst, tct_value_bool(a.f < b.f));
        return true;
    case TCT_I_FLE:
        tct_value_set(dst, tct_value_bool(a.f <= b.f));
        return true;
    case TCT_I_FEQ:
        tct_value_set(dst, tct_value_bool(a.f == b.f));
        return true;
    case TCT_I_BEQ:
        tct_value_set(dst, tct_value_bool(a.b == b.b));
        return true;
    case TCT_I_SEQ:
        tct_value_set(dst, tct_value_bool(same_text(a.text, b.text)));
        return true;
    case TCT_I_SADD:
        tct_value_set(dst, joined(a.text, b.text));
        return true;
    case TCT_I_FLOAT:
        tct_value_set(dst, tct_value_float((double)a.i));
        return true;
    case TCT_I_INT:
        if (!truncated(vm, at, a.f, &i)) return false;
        tct_value_set(dst, tct_value_int(i));
        return true;
    case TCT_I_MATH:
        tct_value_set(dst, tct_value_float(function(at->b, a.f)));
        return true;
    default: // TCT_I_MATH2
        tct_value_set(dst, tct_value_float(at->c == TCT_MATH2_MIN ? fmin(a.f, b.f) : fmax(a.f, b.f)));
        return true;
    }
}

/* A 2-D convolution and its gradients, by the definition: float32, contiguous, (batch, channels, height, width). */

typedef struct {
    long N, C, H, W;   /* of the input */
    long O, KH, KW;    /* of the weight, (O, C / groups, KH, KW) */
    long OH, OW;       /* of the output, (N, O, OH, OW) */
    long SH, SW;       /* stride */
    long PH, PW;       /* padding before */
    long DH, DW;       /* dilation */
    long groups;
} Shape;

#ifdef FIRST_TRY
#define ROW(s, oh, kh) ((oh) * (s)->SH - (s)->PW + (kh) * (s)->DH) /* PW for PH: seen by no test whose padding is square */
#define COLUMN(s, ow, kw) ((ow) * (s)->SW - (s)->PH + (kw) * (s)->DW)
#else
#define ROW(s, oh, kh) ((oh) * (s)->SH - (s)->PH + (kh) * (s)->DH)
#define COLUMN(s, ow, kw) ((ow) * (s)->SW - (s)->PW + (kw) * (s)->DW)
#endif

#define FOR(i, n) for (long i = 0; i < (n); i++)

static long at_input(const Shape *s, long n, long c, long h, long w) { return ((n * s->C + c) * s->H + h) * s->W + w; }

static long at_output(const Shape *s, long n, long o, long h, long w) { return ((n * s->O + o) * s->OH + h) * s->OW + w; }

static long at_weight(const Shape *s, long o, long c, long h, long w) {
    return ((o * (s->C / s->groups) + c) * s->KH + h) * s->KW + w;
}

static int inside(const Shape *s, long h, long w) { return h >= 0 && h < s->H && w >= 0 && w < s->W; }

/* The first input channel that output channel o reads. */
static long first_channel(const Shape *s, long o) { return o / (s->O / s->groups) * (s->C / s->groups); }

void conv(const Shape *s, const float *input, const float *weight, const float *bias, float *output) {
    FOR(n, s->N) FOR(o, s->O) FOR(oh, s->OH) FOR(ow, s->OW) {
        float total = bias ? bias[o] : 0;
        FOR(kh, s->KH) FOR(kw, s->KW) {
            long h = ROW(s, oh, kh), w = COLUMN(s, ow, kw);
            if (inside(s, h, w))
                FOR(c, s->C / s->groups)
                    total += input[at_input(s, n, first_channel(s, o) + c, h, w)] * weight[at_weight(s, o, c, kh, kw)];
        }
        output[at_output(s, n, o, oh, ow)] = total;
    }
}

/* All gradients begin at 0, and each product of the forward hands back its two. */
void conv_backward(const Shape *s, const float *grad_output, const float *input, const float *weight,
                   float *grad_input, float *grad_weight, float *grad_bias) {
    FOR(n, s->N) FOR(o, s->O) FOR(oh, s->OH) FOR(ow, s->OW) {
        float grad = grad_output[at_output(s, n, o, oh, ow)];
        if (grad_bias) grad_bias[o] += grad;
        FOR(kh, s->KH) FOR(kw, s->KW) {
            long h = ROW(s, oh, kh), w = COLUMN(s, ow, kw);
            if (inside(s, h, w))
                FOR(c, s->C / s->groups) {
                    long i = at_input(s, n, first_channel(s, o) + c, h, w), k = at_weight(s, o, c, kh, kw);
                    grad_input[i] += grad * weight[k];
                    grad_weight[k] += grad * input[i];
                }
        }
    }
}

// The encoder in chip arithmetic as plain C++, events along the last axis: what a compiler makes of it is the limit that
// the emulator is measured against. Formats are those of econ_t_5elink; nothing else in the project uses this file.
#include <algorithm>
#include <cstdint>
#include <cstring>

constexpr int CELLS = 48, SIDE = 9, STEPS = 4, FILTERS = 8, KERNEL = 9, PIXELS = STEPS * STEPS, OUTPUTS = 16;
constexpr int HIDDEN = PIXELS * FILTERS, CONV_CUT = 5, DENSE_CUT = 4, CONV_BIAS = 2, DENSE_BIAS = 3, SUM_BITS = 22;
constexpr int LANES = 128;        // events at a time
constexpr int TERMS = HIDDEN / 2; // floored products that 16 bits hold the sum of

typedef int16_t Lanes[LANES];

static void normalise(const uint32_t *calq, int n, Lanes *image) {
    for (int l = 0; l < n; l++) {
        const uint32_t *one = calq + (size_t)l * CELLS;
        uint32_t sum = 0;
        for (int i = 0; i < CELLS; i++)
            sum += one[i];
        sum &= (1u << SUM_BITS) - 1;
        const int shift = sum ? 31 - __builtin_clz(sum) : 0;
        for (int i = 0; i < CELLS; i++) {
            const int row = i < 32 ? i / 8 : 4 + (i - 32) / 4, column = i < 32 ? i % 8 : i % 4;
            image[row * SIDE + column][l] = sum ? (int16_t)((one[i] << 7) >> shift) : (int16_t)0;
        }
    }
}

static void convolve(const Lanes *image, const int16_t *kernel, const int16_t *bias, Lanes *hidden) {
    for (int p = 0; p < PIXELS; p++)
        for (int f = 0; f < FILTERS; f++) {
            int16_t *sum = hidden[p * FILTERS + f];
            for (int l = 0; l < LANES; l++)
                sum[l] = (int16_t)(bias[f] << CONV_BIAS);
            for (int k = 0; k < KERNEL; k++) {
                const int16_t *pixel = image[(2 * (p / STEPS) + k / 3) * SIDE + 2 * (p % STEPS) + k % 3];
                const int16_t weight = kernel[k * FILTERS + f];
                for (int l = 0; l < LANES; l++)
                    sum[l] = (int16_t)(sum[l] + ((int16_t)(pixel[l] * weight) >> CONV_CUT));
            }
            for (int l = 0; l < LANES; l++)
                sum[l] = std::min<int16_t>(std::max<int16_t>(sum[l], 0), 255);
        }
}

extern "C" void encode(const uint32_t *calq, int64_t n_events, const int16_t *conv_kernel, const int16_t *conv_bias,
                       const int16_t *dense_kernel, const int16_t *dense_bias, int32_t *latent) {
    alignas(64) Lanes image[SIDE * SIDE], hidden[HIDDEN];
    std::memset(image, 0, sizeof image); // the padding, and pixels without a cell, stay
    for (int64_t first = 0; first < n_events; first += LANES) {
        const int n = (int)std::min<int64_t>(LANES, n_events - first);
        normalise(calq + first * CELLS, n, image);
        convolve(image, conv_kernel, conv_bias, hidden);
        for (int m = 0; m < OUTPUTS; m++) {
            alignas(64) int32_t total[LANES];
            for (int l = 0; l < LANES; l++)
                total[l] = dense_bias[m] << DENSE_BIAS;
            for (int start = 0; start < HIDDEN; start += TERMS) {
                alignas(64) Lanes part = {};
                for (int k = start; k < start + TERMS; k++) {
                    const int16_t weight = dense_kernel[k * OUTPUTS + m];
                    for (int l = 0; l < LANES; l++)
                        part[l] = (int16_t)(part[l] + ((int16_t)(hidden[k][l] * weight) >> DENSE_CUT));
                }
                for (int l = 0; l < LANES; l++)
                    total[l] += part[l];
            }
            for (int l = 0; l < n; l++)
                latent[(first + l) * OUTPUTS + m] = std::min(std::max(total[l], 0), 511);
        }
    }
}

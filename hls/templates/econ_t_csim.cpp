// Testbench: control.bin input.bin output.bin [trace]. All files are little-endian 32-bit integers.
//   control: number of links, mask in 5 words (lowest first), then the weight codes in the order of the arguments
//   input:   per event the BX in the orbit, then 48 CALQ in the order after the chip's mux
//   output:  per event latents, frame words, and with `trace` module sum, shift, image, and the network's sums and codes
#include "econ_t.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

// hls4ml's trace facility returns the internal values of the generated network.
namespace nnet {
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = nullptr;
size_t trace_type_size = sizeof(double);
} // namespace nnet

static std::vector<int32_t> read_all(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "error: cannot read %s\n", path);
        exit(2);
    }
    std::vector<int32_t> values;
    int32_t block[4096];
    for (size_t n; (n = fread(block, sizeof *block, 4096, file)) > 0;)
        values.insert(values.end(), block, block + n);
    fclose(file);
    return values;
}

template <class T> static void load(T *target, size_t n, const int32_t *&code) {
    for (size_t i = 0; i < n; i++)
        target[i] = from_code<T>(bits<T::width>(*code++));
}

template <class T> static void put(std::vector<int32_t> &row, const T *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        row.push_back(as_int(to_code(values[i])));
}

// The tracer returns real numbers, which are exact multiples of the LSB.
static void put_traced(std::vector<int32_t> &row, const std::vector<double> &values, int fraction_bits) {
    for (double value : values)
        row.push_back((int32_t)(value * (1 << fraction_bits)));
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s control.bin input.bin output.bin [trace]\n", argv[0]);
        return 2;
    }
    static conv_kernel_t conv_kernel[N_CONV_KERNEL];
    static conv_bias_t conv_bias[N_CONV_BIAS];
    static dense_kernel_t dense_kernel[N_DENSE_KERNEL];
    static dense_bias_t dense_bias[N_DENSE_BIAS];
    const std::vector<int32_t> control = read_all(argv[1]);
    const size_t n_weights = N_CONV_KERNEL + N_CONV_BIAS + N_DENSE_KERNEL + N_DENSE_BIAS;
    if (control.size() != 2 + MAX_WORDS + n_weights) {
        fprintf(stderr, "error: %s has %zu numbers, expected %zu\n", argv[1], control.size(), 2 + MAX_WORDS + n_weights);
        return 2;
    }
    const bits<4> n_elinks = control[0];
    const int latent_bits = control[1];
    mask_t mask = 0;
    for (int k = 0; k < MASK_BITS; k++)
        mask[k] = (bool)((uint32_t)control[2 + k / 32] >> (k % 32) & 1);
    const int32_t *code = control.data() + 2 + MAX_WORDS;
    load(conv_kernel, N_CONV_KERNEL, code);
    load(conv_bias, N_CONV_BIAS, code);
    load(dense_kernel, N_DENSE_KERNEL, code);
    load(dense_bias, N_DENSE_BIAS, code);

    const bool trace = argc > 4;
    std::vector<double> conv(N_HIDDEN), hidden(N_HIDDEN), dense(N_LATENTS);
    std::map<std::string, void *> storage;
    storage["conv"] = conv.data();
    storage["hidden"] = hidden.data();
    storage["dense"] = dense.data();
    nnet::trace_enabled = trace;
    nnet::trace_outputs = &storage;

    FILE *input = fopen(argv[2], "rb"), *output = fopen(argv[3], "wb");
    if (!input || !output) {
        fprintf(stderr, "error: cannot open %s\n", input ? argv[3] : argv[2]);
        return 2;
    }
    int32_t event[1 + N_TRIGGER_CELLS];
    std::vector<int32_t> row;
    while (fread(event, sizeof event, 1, input) == 1) {
        charge_t calq[N_TRIGGER_CELLS];
        for (int k = 0; k < N_TRIGGER_CELLS; k++)
            calq[k] = event[1 + k];
        word_t words[MAX_WORDS];
        econ_t(bx_t(event[0]), calq, n_elinks, mask, conv_kernel, conv_bias, dense_kernel, dense_bias, words);
        row.clear();
        for (int i = 0; i < N_LATENTS; i++)
            row.push_back(as_int(to_code(stages.output[i])) >> (OUTPUT_BITS - latent_bits));
        for (int j = 0; j < MAX_WORDS; j++)
            row.push_back(as_int(words[j]));
        if (trace) {
            row.push_back(as_int(stages.module_sum));
            row.push_back(stages.length == 0 ? 0 : as_int(stages.length) - 1);
            put(row, stages.image, N_PIXELS);
            put_traced(row, conv, CONV_SUM_FRACTION_BITS);
            put_traced(row, hidden, HIDDEN_FRACTION_BITS);
            put_traced(row, dense, DENSE_SUM_FRACTION_BITS);
            put(row, stages.output, N_LATENTS);
        }
        if (fwrite(row.data(), sizeof(int32_t), row.size(), output) != row.size()) {
            fprintf(stderr, "error: cannot write %s\n", argv[3]);
            return 2;
        }
    }
    fclose(input);
    return fclose(output) == 0 ? 0 : 2;
}

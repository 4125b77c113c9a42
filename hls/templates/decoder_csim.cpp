// Testbench of a compact decoder: input.bin output.bin, run in the folder `firmware`. Little-endian 32-bit integers.
//   input:   per event the codes of the fields: latents, code of the module sum, its mantissa
//   output:  per event the codes of all stages: sums and outputs of each layer
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

struct Stage {
    const char *name;
    size_t size;
    int fraction_bits;
};

#include "decoder_types.h"

// hls4ml's trace facility returns the values between the layers.
namespace nnet {
bool trace_enabled = true;
std::map<std::string, void *> *trace_outputs = nullptr;
size_t trace_type_size = sizeof(double);
} // namespace nnet

const char *get_weights_dir() { return "weights"; }

int main(int argc, char **argv) {
    FILE *input = argc > 2 ? fopen(argv[1], "rb") : nullptr, *output = argc > 2 ? fopen(argv[2], "wb") : nullptr;
    if (!input || !output) {
        fprintf(stderr, "usage: %s input.bin output.bin\n", argv[0]);
        return 2;
    }
    std::map<std::string, void *> storage;
    std::vector<std::vector<double>> values;
    for (const Stage &stage : STAGES)
        values.emplace_back(stage.size);
    for (size_t i = 0; i < values.size(); i++)
        storage[STAGES[i].name] = values[i].data();
    nnet::trace_outputs = &storage;

    int32_t event[N_FIELDS];
    std::vector<int32_t> row;
    while (fread(event, sizeof event, 1, input) == 1) {
        field_t fields[N_FIELDS];
        charge_t charges[N_CHARGES];
        for (int i = 0; i < N_FIELDS; i++)
            fields[i] = from_code<field_t>(bits<field_t::width>(event[i]));
        decoder(fields, charges);
        row.clear();
        // The tracer returns real numbers, which are exact multiples of the LSB.
        for (size_t i = 0; i < values.size(); i++)
            for (double value : values[i])
                row.push_back((int32_t)(value * (1 << STAGES[i].fraction_bits)));
        // The charges themselves, not what the tracer saw of them.
        for (int i = 0; i < N_CHARGES; i++)
            row[row.size() - N_CHARGES + i] = as_int(to_code(charges[i]));
        if (fwrite(row.data(), sizeof(int32_t), row.size(), output) != row.size()) {
            fprintf(stderr, "error: cannot write %s\n", argv[2]);
            return 2;
        }
    }
    fclose(input);
    return fclose(output) == 0 ? 0 : 2;
}

// Reads a record of inputs and writes a record of outputs for every clock. ports.h lists the ports and, if there is one, the clock.
// Usage: harness STIMULI RESPONSES [FLIPS]. The first two hold records of the ports in order, each port in the size of its Verilator type.
// FLIPS holds records of three words, sorted by clock: the clock whose final edge comes before the flip, the register, the bit.
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "ports.h"

#ifdef FLIPPABLE
#include <string>

#include "verilated_vpi.h"

struct Flip {
    unsigned clock, reg, bit;
};

// Flips the bit of the register through Verilog's programming interface; the next eval sees it.
static bool apply(const Flip& flip) {
    static const char* const names[] = {FLIPPABLE};
    static std::vector<vpiHandle> handles(sizeof(names) / sizeof(*names));
    if (flip.reg >= handles.size()) return false;
    vpiHandle& handle = handles[flip.reg];
    if (!handle) handle = vpi_handle_by_name(const_cast<char*>(names[flip.reg]), nullptr);
    if (!handle || flip.bit >= static_cast<unsigned>(vpi_get(vpiSize, handle))) return false;
    s_vpi_value value;
    value.format = vpiVectorVal;
    vpi_get_value(handle, &value);
    std::vector<s_vpi_vecval> words(value.value.vector, value.value.vector + (vpi_get(vpiSize, handle) + 31) / 32);
    words[flip.bit / 32].aval ^= 1u << flip.bit % 32;
    value.value.vector = words.data();
    vpi_put_value(handle, &value, nullptr, vpiNoDelay);
    return true;
}

static std::vector<Flip> flips_of(const char* path) {
    std::vector<Flip> flips;
    Flip flip;
    if (FILE* file = std::fopen(path, "rb")) {
        while (std::fread(&flip, sizeof(flip), 1, file) == 1) flips.push_back(flip);
        std::fclose(file);
    }
    return flips;
}
#endif

int main(int argc, char** argv) {
    if (argc != 3 && argc != 4) return 2;
    FILE* in = std::fopen(argv[1], "rb");
    FILE* out = std::fopen(argv[2], "wb");
    if (!in || !out) return 2;
    auto top = std::make_unique<Vtop>();
    std::size_t in_size = 0, out_size = 0;
#define INPUT(port) in_size += sizeof(top->port);
#define OUTPUT(port) out_size += sizeof(top->port);
    PORTS
#undef INPUT
#undef OUTPUT
    std::vector<unsigned char> inputs(in_size), outputs(out_size);
#ifdef FLIPPABLE
    const std::vector<Flip> flips = argc == 4 ? flips_of(argv[3]) : std::vector<Flip>();
    auto flip = flips.begin();
    unsigned clock = 0;
#else
    if (argc == 4) return 2;
#endif
    while (std::fread(inputs.data(), in_size, 1, in) == 1) {
        const unsigned char* from = inputs.data();
        unsigned char* to = outputs.data();
        CLOCK(0)
#define INPUT(port) std::memcpy(&top->port, from, sizeof(top->port)); from += sizeof(top->port);
#define OUTPUT(port)
        PORTS
#undef INPUT
#undef OUTPUT
        top->eval();
#define INPUT(port)
#define OUTPUT(port) std::memcpy(to, &top->port, sizeof(top->port)); to += sizeof(top->port);
        PORTS
#undef INPUT
#undef OUTPUT
        if (std::fwrite(outputs.data(), out_size, 1, out) != 1) return 1;
        CLOCK(1)
        top->eval();
#ifdef FLIPPABLE
        for (; flip != flips.end() && flip->clock == clock; ++flip)
            if (!apply(*flip)) return 3;
        ++clock;
#endif
    }
    top->final();
    std::fclose(in);
    return std::fclose(out) ? 1 : 0;
}

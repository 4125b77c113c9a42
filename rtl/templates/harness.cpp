// Clock by clock: read a record of inputs, write a record of outputs. The ports and the clock, if there is one, are listed in ports.h.
// Usage: harness STIMULI RESPONSES; both are records of the ports in order, each in the size of its Verilator type.
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "ports.h"

int main(int argc, char** argv) {
    if (argc != 3) return 2;
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
    }
    top->final();
    std::fclose(in);
    return std::fclose(out) ? 1 : 0;
}

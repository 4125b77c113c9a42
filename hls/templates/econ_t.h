// The autoencoder chain of ECON-T around the network that hls4ml generates: normaliser, encoder, mask, formatter.
// One source with the pragmas of both tools, for Vitis (ap_ types) and Catapult (ac_ types). econ_t_types.h is generated with the project.
#ifndef ECON_T_H_
#define ECON_T_H_

#include "econ_t_types.h"

enum {
    OUTPUT_BITS = result_t::width,
    MASK_BITS = N_LATENTS * OUTPUT_BITS
};

typedef bits<SUM_BITS> charge_t; // a CALQ, and the module sum, which wraps
typedef bits<5> shift_t;
typedef bits<12> bx_t;
typedef bits<MASK_BITS> mask_t;
typedef bits<WORD_BITS> word_t;

void normalise(const charge_t calq[N_TRIGGER_CELLS], charge_t &module_sum, shift_t &length, input_t image[N_PIXELS]);

void format_frame(bx_t bx, charge_t module_sum, shift_t length, const result_t output[N_LATENTS], bits<4> n_elinks,
                  mask_t mask, word_t words[MAX_WORDS]);

// The top level. The weights are arguments because they are registers of the chip, reloadable at run time.
void econ_t(bx_t bx, const charge_t calq[N_TRIGGER_CELLS], bits<4> n_elinks, mask_t mask,
            conv_kernel_t conv_kernel[N_CONV_KERNEL], conv_bias_t conv_bias[N_CONV_BIAS],
            dense_kernel_t dense_kernel[N_DENSE_KERNEL], dense_bias_t dense_bias[N_DENSE_BIAS],
            word_t words[MAX_WORDS]);

#ifndef __SYNTHESIS__
// The data between the stages of the last call, for the testbench.
struct Stages {
    charge_t module_sum;
    shift_t length;
    input_t image[N_PIXELS];
    result_t output[N_LATENTS];
};
extern Stages stages;
#endif

#endif

#include "econ_t.h"

#ifndef __SYNTHESIS__
Stages stages;
#endif

// Number of bits of the module sum, which is 0 for an empty module.
static shift_t bit_length(charge_t value) {
    shift_t length = 0;
    #pragma hls_unroll yes
    for (int i = 0; i < SUM_BITS; i++) {
        #pragma HLS UNROLL
        if (value[i])
            length = i + 1;
    }
    return length;
}

void normalise(const charge_t calq[N_TRIGGER_CELLS], charge_t &module_sum, shift_t &length, input_t image[N_PIXELS]) {
    #pragma HLS INLINE
    charge_t sum = 0;
    #pragma hls_unroll yes
    for (int k = 0; k < N_TRIGGER_CELLS; k++) {
        #pragma HLS UNROLL
        sum += calq[k];
    }
    module_sum = sum;
    length = bit_length(sum);
    const int shift = length == 0 ? 0 : (int)length - 1;
    #pragma hls_unroll yes
    for (int pixel = 0; pixel < N_PIXELS; pixel++) {
        #pragma HLS UNROLL
        const int row = pixel / 8, column = pixel % 8;
        const bool has_cell = row < 4 || column < 4;
        const int k = row < 4 ? pixel : 32 + 4 * (row - 4) + column;
        bits<SUM_BITS + INPUT_FRACTION_BITS> scaled = has_cell && length != 0 ? calq[k] : charge_t(0);
        scaled <<= INPUT_FRACTION_BITS;
        scaled >>= shift;
        image[pixel] = from_code<wide_input_t>(scaled); // wraps or saturates, as the type says
    }
}

// The floating code 5E4M: exponent, then the four bits after the leading one.
static bits<9> code_5e4m(charge_t value, shift_t length) {
    if (length <= 4)
        return bits<9>(value);
    const int exponent = (int)length - 4;
    charge_t mantissa = value;
    mantissa >>= exponent - 1;
    mantissa &= charge_t(15);
    bits<9> code = exponent;
    code <<= 4;
    return code | bits<9>(mantissa);
}

void format_frame(bx_t bx, charge_t module_sum, shift_t length, const result_t output[N_LATENTS], bits<4> n_elinks,
                  mask_t mask, word_t words[MAX_WORDS]) {
    #pragma HLS INLINE
    const int n_words = n_elinks < MAX_WORDS ? (int)n_elinks : (int)MAX_WORDS;
    const int capacity = WORD_BITS * n_words - HEADER_BITS;
    bits<WORD_BITS * MAX_WORDS> frame = 0;
    int n_kept = 0;
    #pragma hls_unroll yes
    for (int i = 0; i < N_LATENTS; i++) {
        #pragma HLS UNROLL
        const bits<OUTPUT_BITS> code = to_code(output[i]);
        #pragma hls_unroll yes
        for (int j = 0; j < OUTPUT_BITS; j++) {
            #pragma HLS UNROLL
            if (mask[OUTPUT_BITS * i + j] && n_kept < capacity)
                frame[n_kept++] = (bool)code[j];
        }
    }
    bits<WORD_BITS * MAX_WORDS> header = bx == 0 ? bits<5>(31) : bits<5>(bx & bx_t(15));
    header <<= 9;
    // Of one width: ap_int writes a warning about others, in simulation for each event.
    header |= bits<WORD_BITS * MAX_WORDS>(code_5e4m(module_sum, length));
    header <<= capacity;
    frame |= header;
    #pragma hls_unroll yes
    for (int j = 0; j < MAX_WORDS; j++) {
        #pragma HLS UNROLL
        bits<WORD_BITS * MAX_WORDS> rest = frame;
        rest >>= WORD_BITS * (n_words - 1 - j > 0 ? n_words - 1 - j : 0);
        words[j] = j < n_words ? word_t(rest) : word_t(0);
    }
}

#pragma hls_design top
#pragma hls_pipeline_init_interval 1
void econ_t(bx_t bx, const charge_t calq[N_TRIGGER_CELLS], bits<4> n_elinks, mask_t mask,
            conv_kernel_t conv_kernel[N_CONV_KERNEL], conv_bias_t conv_bias[N_CONV_BIAS],
            dense_kernel_t dense_kernel[N_DENSE_KERNEL], dense_bias_t dense_bias[N_DENSE_BIAS],
            word_t words[MAX_WORDS]) {
    #pragma HLS PIPELINE II=1
    #pragma HLS ARRAY_PARTITION variable=calq complete
    #pragma HLS ARRAY_PARTITION variable=conv_kernel complete
    #pragma HLS ARRAY_PARTITION variable=conv_bias complete
    #pragma HLS ARRAY_PARTITION variable=dense_kernel complete
    #pragma HLS ARRAY_PARTITION variable=dense_bias complete
    #pragma HLS ARRAY_PARTITION variable=words complete
    charge_t module_sum;
    shift_t length;
    input_t image[N_PIXELS];
    result_t output[N_LATENTS];
    normalise(calq, module_sum, length, image);
    encoder(image, output, conv_kernel, conv_bias, dense_kernel, dense_bias);
    format_frame(bx, module_sum, length, output, n_elinks, mask, words);
#ifndef __SYNTHESIS__
    stages.module_sum = module_sum;
    stages.length = length;
    for (int i = 0; i < N_PIXELS; i++)
        stages.image[i] = image[i];
    for (int i = 0; i < N_LATENTS; i++)
        stages.output[i] = output[i];
#endif
}

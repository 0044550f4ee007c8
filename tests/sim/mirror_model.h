/*
 * The mirrors of a simulated gateway: it makes and drops them as it is told.
 */
#ifndef SMARTHG_SIM_MIRROR_MODEL_H
#define SMARTHG_SIM_MIRROR_MODEL_H

#include "../../bridge/codec/messages.h"

/* Executes a REQUEST of METHOD_ZCL and prints what its meter is told; the result to answer. */
uint8_t mirror_model_execute(uint64_t gateway, const struct request *request);

#endif

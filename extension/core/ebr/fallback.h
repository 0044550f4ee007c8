/*
 * The schedule for when no solver answers in time (DESIGN.md section 3: the
 * controller always answers).
 */
#ifndef SMARTHG_EBR_FALLBACK_H
#define SMARTHG_EBR_FALLBACK_H

#include "model.h"

/* Plans a checked problem without a solver and without allocating memory; cannot fail. The ESS
 * stays idle but where it can relieve the contract; the PEV charges at once, as fast as its power
 * and the contract allow, up to its target (full where its departure is not known). */
void ebr_fallback(const ebr_problem *problem, ebr_solution *solution);

#endif

/*
 * One store where a slot's cost is not convex in what is stored (negative prices,
 * export dearer than import, a tube that is cheaper to keep by wasting energy): the
 * exact optimum, without a solver (DESIGN.md section 3).
 */
#ifndef SMARTHG_EBR_VALUE_EXACT_H
#define SMARTHG_EBR_VALUE_EXACT_H

#include "model.h"

/* Plans one active store into power_kw (NULL: not wanted) while the other runs at other_kw (NULL:
 * 0), or, where worth is given, where power has one price in each slot, worth[t] EUR per kW of the
 * slot. Into *eur goes the least cost, from the first slot's cost to the worth of what is stored at
 * the end. *finished is false, with OUTCOME_OK and no plan, where the time passed or the cost of
 * what is stored has too many pieces to go on. Of equally good powers the one nearest to idle is
 * taken. Fails on memory and interrupt only. */
outcome_status ebr_value_exact(const ebr_model *model, int store, const double *other_kw,
                               const double *worth, const ebr_limits *limits, double *power_kw,
                               double *eur, bool *finished, outcome *out);

#endif

/*
 * An EBR problem, or a sizing, as a model that another solver can read.
 */
#ifndef SMARTHG_EBR_MODEL_TEXT_H
#define SMARTHG_EBR_MODEL_TEXT_H

#include "problem.h"
#include "sizing.h"
#include "../milp/model_text.h"

/* Writes the full MILP, as ebr_solve_milp_plain() solves it: its optimum is that objective_eur,
 * EUR, to be minimised. Columns and rows are named by what they are and their slot, counted from 1:
 * charge_ess_1, discharge_ess_1 (kW), soc_ess_1 (kWh at the slot's end), the same of pev, grid_1 or
 * import_1 and export_1, below_ and above_profile_1, below_ and above_contract_1 (kW),
 * shortfall_pev_1 (kWh), and the binaries charges_ess_1, discharges_ess_1, imports_1. What cannot
 * matter is left out. The text is the caller's to free, whatever happens. */
outcome_status ebr_model_text(const ebr_problem *problem, milp_format format,
                              const ebr_limits *limits, milp_text *text, outcome *out);

/* Writes the linear relaxation of a sizing (sizing.h), whose optimum is its relaxed_eur: C (kWh), R
 * (kW), and of each slot that is billed, counted from 1, s<t> (kWh at its end), c<t> and d<t> (kW
 * charged and discharged), k<t>_<i> (kW of grid power above the i-th kink of its price). Errors as
 * above; bad input also where the span has more slots than a text may have. */
outcome_status ebr_sizing_model_text(const ebr_sizing_problem *problem, milp_format format,
                                     const ebr_limits *limits, milp_text *text, outcome *out);

#endif

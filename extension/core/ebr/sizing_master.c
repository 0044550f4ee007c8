/*
 * The dual simplex method on four active constraints, see
 * sizing_master.h. All constraints read row . (z, C, R, s0) >= right. The active
 * ones determine a point, and their multipliers, none negative, prove its z to be
 * a lower bound; the constraint that the point breaks most replaces the one whose
 * multiplier would turn negative first.
 */
#include "sizing_master.h"

#include <float.h>
#include <string.h>

enum { N = SIZING_VARIABLES + 1, FIT = 5, FEWEST_TO_FIT = 4, MOST_ROUNDS = 2000, PATIENCE = 200 };

/* Constraints by number: the box first, then the planes. */
enum { LOW_CAPACITY, LOW_POWER, HIGH_CAPACITY, HIGH_POWER, LOW_START, HIGH_START, FIRST_PLANE };

typedef struct constraint {
	double row[N], right;
} constraint;

static constraint constraint_of(const sizing_master *m, const sizing_box *box, int number)
{
	constraint c = {{0}, 0};

	switch (number) {
	case LOW_CAPACITY:
	case LOW_POWER:
		c.row[1 + number] = 1;
		c.right = box->low[number];
		break;
	case HIGH_CAPACITY:
	case HIGH_POWER:
		c.row[1 + number - HIGH_CAPACITY] = -1;
		c.right = -box->high[number - HIGH_CAPACITY];
		break;
	case LOW_START:
		c.row[1 + SIZING_START] = 1;
		break;
	case HIGH_START:
		c.row[1 + SIZING_CAPACITY] = 1;
		c.row[1 + SIZING_START] = -1;
		break;
	default:
		c.row[0] = 1;
		for (int i = 0; i < SIZING_VARIABLES; i++)
			c.row[1 + i] = -m->plane[number - FIRST_PLANE].slope[i];
		c.right = m->plane[number - FIRST_PLANE].constant;
	}
	return c;
}

/* Solves the n equations a . answer = a[..][n]; false where they are singular. */
static bool eliminate(int n, double a[][FIT + 1], double *answer)
{
	for (int k = 0; k < n; k++) {
		int pivot = k;

		for (int i = k + 1; i < n; i++)
			if (fabs(a[i][k]) > fabs(a[pivot][k]))
				pivot = i;
		if (fabs(a[pivot][k]) < DBL_MIN)
			return false;
		for (int j = k; j <= n; j++) {
			double kept = a[k][j];

			a[k][j] = a[pivot][j];
			a[pivot][j] = kept;
		}
		for (int i = 0; i < n; i++) {
			double factor = a[i][k] / a[k][k];

			for (int j = k; i != k && j <= n; j++)
				a[i][j] -= factor * a[k][j];
		}
	}
	for (int i = 0; i < n; i++)
		answer[i] = a[i][n] / a[i][i];
	return true;
}

/* Solves matrix . answer = right, or with the transposed matrix; false where it is singular. */
static bool solve(double matrix[N][N], const double *right, bool transposed, double *answer)
{
	double a[N][FIT + 1];

	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++)
			a[i][j] = transposed ? matrix[j][i] : matrix[i][j];
		a[i][N] = right[i];
	}
	return eliminate(N, a, answer);
}

/* The last plane, and of each variable the bound that holds it. */
static void begin(const sizing_master *m, int *active)
{
	const double *slope = m->plane[m->planes - 1].slope;
	double capacity = slope[SIZING_CAPACITY] + ebr_lesser(slope[SIZING_START], 0);

	active[0] = FIRST_PLANE + m->planes - 1;
	active[1] = capacity >= 0 ? LOW_CAPACITY : HIGH_CAPACITY;
	active[2] = slope[SIZING_POWER] >= 0 ? LOW_POWER : HIGH_POWER;
	active[3] = slope[SIZING_START] >= 0 ? LOW_START : HIGH_START;
}

/* The constraint that the point breaks most, or after long the first one; -1: none. */
static int broken(const sizing_master *m, const sizing_box *box, const double *point, bool first)
{
	double most = 0;
	int found = -1;

	for (int i = 0; i < FIRST_PLANE + m->planes; i++) {
		constraint c = constraint_of(m, box, i);
		double value = 0, size = fabs(c.right);

		for (int j = 0; j < N; j++) {
			value += c.row[j] * point[j];
			size += fabs(c.row[j] * point[j]);
		}
		if (c.right - value <= 1e-13 * size)
			continue;
		if (c.right - value > most || found < 0) {
			most = c.right - value;
			found = i;
			if (first)
				break;
		}
	}
	return found;
}

double sizing_master_solve(const sizing_master *m, const sizing_box *box,
                           double x[SIZING_VARIABLES])
{
	static const double of_z[N] = {1};
	int active[N];
	double point[N] = {-INFINITY};

	begin(m, active);
	for (int round = 0; round < MOST_ROUNDS; round++) {
		double matrix[N][N], right[N], weight[N], multiplier[N], least = INFINITY;
		constraint entering;
		int number, leaving = -1;

		for (int i = 0; i < N; i++) {
			constraint c = constraint_of(m, box, active[i]);

			memcpy(matrix[i], c.row, sizeof(c.row));
			right[i] = c.right;
		}
		if (!solve(matrix, right, false, point) || !solve(matrix, of_z, true, multiplier))
			break;
		number = broken(m, box, point, round > PATIENCE);
		if (number < 0)
			break;
		entering = constraint_of(m, box, number);
		if (!solve(matrix, entering.row, true, weight))
			break;
		for (int i = 0; i < N; i++) {
			if (weight[i] > 1e-12 && multiplier[i] / weight[i] < least) {
				least = multiplier[i] / weight[i];
				leaving = i;
			}
		}
		if (leaving < 0) /* an empty box, which callers exclude, or rounding */
			break;
		active[leaving] = number;
	}
	for (int i = 0; i < 2; i++)
		x[i] = ebr_lesser(ebr_greater(point[1 + i], box->low[i]), box->high[i]);
	x[SIZING_START] = ebr_lesser(ebr_greater(point[1 + SIZING_START], 0), x[SIZING_CAPACITY]);
	return point[0];
}

double sizing_master_at(const sizing_master *m, const double x[SIZING_VARIABLES])
{
	double highest = -INFINITY;

	for (int k = 0; k < m->planes; k++) {
		double value = m->plane[k].constant;

		for (int i = 0; i < SIZING_VARIABLES; i++)
			value += m->plane[k].slope[i] * x[i];
		highest = ebr_greater(highest, value);
	}
	return highest;
}

void sizing_master_add(sizing_master *m, const sizing_plane *plane,
                       const double x[SIZING_VARIABLES], double cost_eur)
{
	if (m->planes == SIZING_MAX_PLANES) {
		size_t kept = (size_t)--m->planes;

		memmove(m->plane, m->plane + 1, kept * sizeof(m->plane[0]));
		memmove(m->at, m->at + 1, kept * sizeof(m->at[0]));
		memmove(m->cost_eur, m->cost_eur + 1, kept * sizeof(m->cost_eur[0]));
	}
	m->plane[m->planes] = *plane;
	memcpy(m->at[m->planes], x, sizeof(m->at[0]));
	m->cost_eur[m->planes++] = cost_eur;
}

/* Adds an equation of the five unknowns, weighted, to the normal equations. */
static void add_equation(double a[FIT][FIT + 1], const double *row, double right, double weight)
{
	for (int i = 0; i < FIT; i++) {
		for (int j = 0; j < FIT; j++)
			a[i][j] += weight * row[i] * row[j];
		a[i][FIT] += weight * row[i] * right;
	}
}

/* Least squares: slopes = curvature . (x - x of best) + slope at best. */
static bool fit(const sizing_master *m, int best, sizing_curvature *found, double slope[2])
{
	double a[FIT][FIT + 1] = {{0}}, answer[FIT];
	double same = 1e-6 * ebr_greater(fabs(m->cost_eur[best]), 0.1);

	for (int k = 0; k < m->planes; k++) {
		double dx = m->at[k][0] - m->at[best][0], dy = m->at[k][1] - m->at[best][1];
		/* what is left out grows with the square of the distance, as the cost does */
		double weight = same / (m->cost_eur[k] - m->cost_eur[best] + same);
		const double of_capacity[FIT] = {dx, dy, 0, 1, 0}, of_power[FIT] = {0, dx, dy, 0, 1};

		add_equation(a, of_capacity, m->plane[k].slope[SIZING_CAPACITY], weight * weight);
		add_equation(a, of_power, m->plane[k].slope[SIZING_POWER], weight * weight);
	}
	if (!eliminate(FIT, a, answer))
		return false;
	*found = (sizing_curvature){answer[0], answer[1], answer[2]};
	slope[0] = answer[3];
	slope[1] = answer[4];
	return true;
}

bool sizing_master_bottom(const sizing_master *m, sizing_curvature *known,
                          double x[SIZING_VARIABLES])
{
	sizing_curvature h = *known;
	double slope[2], determinant;
	int best = 0;

	for (int k = 1; k < m->planes; k++)
		if (m->cost_eur[k] < m->cost_eur[best])
			best = k;
	slope[0] = m->plane[best].slope[SIZING_CAPACITY];
	slope[1] = m->plane[best].slope[SIZING_POWER];
	if (m->planes >= FEWEST_TO_FIT && !fit(m, best, &h, slope))
		return false;
	determinant = h.capacity * h.power - h.both * h.both;
	if (!(h.capacity > 0 && h.power > 0 && determinant > 1e-3 * h.capacity * h.power))
		return false;
	*known = h;
	x[SIZING_CAPACITY] =
	    m->at[best][SIZING_CAPACITY] - (h.power * slope[0] - h.both * slope[1]) / determinant;
	x[SIZING_POWER] =
	    m->at[best][SIZING_POWER] - (h.capacity * slope[1] - h.both * slope[0]) / determinant;
	x[SIZING_START] = 0;
	return true;
}

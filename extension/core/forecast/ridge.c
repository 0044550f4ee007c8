/* See ridge.h. */
#include "ridge.h"

#include <math.h>
#include <string.h>

void ridge_start(ridge *sums, int terms)
{
	memset(sums, 0, sizeof(*sums));
	sums->terms = terms;
}

void ridge_add(ridge *sums, const double *x, double y, double weight)
{
	for (int i = 0; i < sums->terms; i++) {
		const double wx = weight * x[i];

		for (int j = 0; j <= i; j++)
			sums->product[i][j] += wx * x[j];
		sums->target[i] += wx * y;
	}
}

/* Solves a symmetric positive definite system given by its lower triangle, by Cholesky. */
static void solve(double a[RIDGE_MOST][RIDGE_MOST], double *b, int n)
{
	for (int i = 0; i < n; i++) {
		for (int j = 0; j <= i; j++) {
			double sum = a[i][j];

			for (int k = 0; k < j; k++)
				sum -= a[i][k] * a[j][k];
			a[i][j] = i == j ? sqrt(fmax(sum, 1e-300)) : sum / a[j][j];
		}
	}
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			b[i] -= a[i][k] * b[k];
		b[i] /= a[i][i];
	}
	for (int i = n - 1; i >= 0; i--) {
		for (int k = i + 1; k < n; k++)
			b[i] -= a[k][i] * b[k];
		b[i] /= a[i][i];
	}
}

void ridge_solve(const ridge *sums, const double *prior, const double *shrinkage, double *b)
{
	const int n = sums->terms;
	double a[RIDGE_MOST][RIDGE_MOST], scale[RIDGE_MOST], change[RIDGE_MOST];

	/* In units in which every term's square sums up to 1, so that none is lost beside others. */
	for (int i = 0; i < n; i++)
		scale[i] = sums->product[i][i] > 0 ? 1 / sqrt(sums->product[i][i]) : 0;
	for (int i = 0; i < n; i++) {
		change[i] = sums->target[i];
		for (int j = 0; j < n; j++) {
			double product = j <= i ? sums->product[i][j] : sums->product[j][i];

			change[i] -= product * prior[j];
			if (j <= i)
				a[i][j] = product * scale[i] * scale[j];
		}
		change[i] *= scale[i];
		a[i][i] = (scale[i] > 0 ? 1 : 0) + shrinkage[i] + 1e-9;
	}
	solve(a, change, n);
	for (int i = 0; i < n; i++)
		b[i] = prior[i] + change[i] * scale[i];
}

extension/core/ebr/plan.o: extension/core/ebr/plan.c \
 extension/core/ebr/plan.h extension/core/ebr/rule.h \
 extension/core/ebr/value_curve.h extension/core/ebr/model.h \
 extension/core/ebr/problem.h extension/core/ebr/../outcome.h \
 extension/core/ebr/fallback.h extension/core/ebr/milp.h
extension/core/ebr/plan.h:
extension/core/ebr/rule.h:
extension/core/ebr/value_curve.h:
extension/core/ebr/model.h:
extension/core/ebr/problem.h:
extension/core/ebr/../outcome.h:
extension/core/ebr/fallback.h:
extension/core/ebr/milp.h:

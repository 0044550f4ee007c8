extension/pg/ebr.o: extension/pg/ebr.c extension/pg/binding.h \
 extension/pg/../core/outcome.h extension/pg/../core/ebr/plan.h \
 extension/pg/../core/ebr/rule.h extension/pg/../core/ebr/value_curve.h \
 extension/pg/../core/ebr/model.h extension/pg/../core/ebr/problem.h \
 extension/pg/../core/ebr/../outcome.h
extension/pg/binding.h:
extension/pg/../core/outcome.h:
extension/pg/../core/ebr/plan.h:
extension/pg/../core/ebr/rule.h:
extension/pg/../core/ebr/value_curve.h:
extension/pg/../core/ebr/model.h:
extension/pg/../core/ebr/problem.h:
extension/pg/../core/ebr/../outcome.h:

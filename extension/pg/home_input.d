extension/pg/home_input.o: extension/pg/home_input.c extension/pg/home.h \
 extension/pg/binding.h extension/pg/../core/outcome.h \
 extension/pg/../core/ebr/problem.h extension/pg/../core/ebr/../outcome.h \
 extension/pg/../core/forecast/eumf_k.h \
 extension/pg/../core/forecast/../outcome.h
extension/pg/home.h:
extension/pg/binding.h:
extension/pg/../core/outcome.h:
extension/pg/../core/ebr/problem.h:
extension/pg/../core/ebr/../outcome.h:
extension/pg/../core/forecast/eumf_k.h:
extension/pg/../core/forecast/../outcome.h:
